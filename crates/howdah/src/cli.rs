//! The command line's definitions. Pure declaration: the module of each command implements its flags.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use crate::printer::Output;

/// Run big-data clusters on vSphere for OpenStack; every node gets its address on first boot.
#[derive(Debug, Parser)]
#[command(name = "howdah", version, max_term_width = 100, after_help = EXIT_CODES)]
pub struct Cli {
    /// The command to run.
    #[command(subcommand)]
    pub command: Command,
    /// Output format.
    #[arg(long, short, global = true, value_enum, default_value_t = Output::Text)]
    pub output: Output,
    /// Print only data and errors.
    #[arg(long, short, global = true)]
    pub quiet: bool,
    /// Write more log lines to stderr; repeat for more.
    #[arg(long, short, global = true, action = clap::ArgAction::Count)]
    pub verbose: u8,
}

const EXIT_CODES: &str = "Exit codes: 0 success; 1 refused or failed; 2 invalid command line, file or configuration;
3 the service cannot be reached; 4 the service reports that it is not ready;
5 another service has taken the database over; 130 interrupted.

Try it: howdah demo";

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Create a cluster in a simulated site and show its progress.
    Demo(Demo),
    /// Run a simulated site for other clients.
    Sandbox(Box<Sandbox>),
    /// Run the service.
    Serve(Serve),
    /// Manage clusters: create, list, show, watch, stop, start, delete.
    Cluster {
        /// How to reach the service.
        #[command(flatten)]
        connection: Connection,
        /// The command to run.
        #[command(subcommand)]
        command: Cluster,
    },
    /// Work with the service's configuration.
    Config {
        /// The command to run.
        #[command(subcommand)]
        command: Config,
    },
    /// Print a shell completion script.
    Completions {
        /// Shell to print the script for.
        shell: clap_complete::Shell,
    },
}

/// Create a cluster in a simulated site.
#[derive(Debug, Args)]
pub struct Demo {
    /// Number of nodes; Howdah resizes the largest group to fit.
    #[arg(long, short, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub nodes: u32,
    /// Simple HOT or CFN template. [default: the built-in examples/hadoop-2015.json]
    #[arg(long, short, value_name = "FILE")]
    pub template: Option<PathBuf>,
    /// Template parameter; may be repeated.
    #[arg(long = "param", short = 'P', value_name = "NAME=VALUE", value_parser = pair)]
    pub params: Vec<(String, String)>,
    /// Make Neutron slow to create ports, so that guests send DHCP requests too early.
    #[arg(long)]
    pub slow_neutron: bool,
    /// Random seed of the simulated site.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Speed of the simulated site relative to real time.
    #[arg(long, default_value_t = 20.0, value_parser = speed)]
    pub speed: f64,
}

/// Run a simulated site.
#[derive(Debug, Args)]
pub struct Sandbox {
    /// Address to listen on.
    #[arg(long, default_value = "127.0.0.1", value_name = "ADDRESS")]
    pub listen: std::net::IpAddr,
    /// First of five consecutive ports: vCenter, BDE, Keystone, Neutron, control.
    /// [default: any free ports]
    #[arg(long, value_name = "PORT")]
    pub port: Option<u16>,
    /// Network backend of the simulated OpenStack.
    #[arg(long, value_enum, default_value_t = Backend::NsxV)]
    pub backend: Backend,
    /// Version that the simulated BDE reports.
    #[arg(long, default_value = "2.3.2", value_name = "VERSION")]
    pub bde_version: String,
    /// Number of unrelated VMs in the site.
    #[arg(long, default_value_t = 0, value_name = "N")]
    pub bystanders: usize,
    /// Random seed.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Speed relative to real time.
    #[arg(long, default_value_t = 1.0, value_parser = speed)]
    pub speed: f64,
    /// Serve vCenter and BDE over TLS with a self-signed certificate.
    #[arg(long)]
    pub tls: bool,
    /// Finish all clones of a cluster at the same moment.
    #[arg(long)]
    pub cloned_at_once: bool,
    /// Write a `howdah serve` configuration for this site.
    #[arg(long, value_name = "FILE")]
    pub config_out: Option<PathBuf>,
    /// Take guest leases from the control port instead of simulating them; for the lab.
    #[arg(long)]
    pub external_guests: bool,
}

/// Network backend of an OpenStack.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Backend {
    /// NSX for vSphere.
    NsxV,
    /// NSX-T and NSX 4.
    NsxT,
    /// ML2 over VLANs.
    Ml2,
}

/// Run the service.
#[derive(Debug, Args)]
pub struct Serve {
    /// Configuration file.
    #[arg(long, short, env = "HOWDAH_CONFIG", default_value = "/etc/howdah/howdah.toml", value_name = "FILE")]
    pub config: PathBuf,
}

/// Work with the service's configuration.
#[derive(Debug, Subcommand)]
pub enum Config {
    /// Validate the configuration and show where each value comes from.
    Check(Serve),
}

/// How to reach the service, and with which credentials.
#[derive(Debug, Args)]
pub struct Connection {
    /// Service endpoint: https://HOST:PORT, http://127.0.0.1:PORT or unix:/PATH. [default: the
    /// `data-processing` service in the Keystone catalogue]
    #[arg(long, global = true, env = "HOWDAH_ENDPOINT", value_name = "URL")]
    pub endpoint: Option<String>,
    /// PEM file with the CA that signed the service's certificate.
    #[arg(long, global = true, env = "HOWDAH_CA_FILE", value_name = "FILE")]
    pub ca_file: Option<PathBuf>,
    /// Keystone token. [default: authenticate with OS_* or clouds.yaml]
    #[arg(long, global = true, env = "OS_TOKEN", hide_env_values = true, value_name = "TOKEN")]
    pub token: Option<String>,
    /// Site to create clusters in; the token is for this site's OpenStack. [default: the service's
    /// default site]
    #[arg(long, global = true, env = "HOWDAH_SITE", value_name = "NAME")]
    pub site: Option<String>,
    /// How long to retry while the service cannot be reached or is not ready.
    #[arg(long, global = true, env = "HOWDAH_PATIENCE", value_name = "SECONDS", default_value_t = 120)]
    pub patience: u64,
    /// Cloud name in clouds.yaml.
    #[arg(long, global = true, env = "OS_CLOUD", value_name = "NAME")]
    pub cloud: Option<String>,
}

/// Manage clusters.
#[derive(Debug, Subcommand)]
pub enum Cluster {
    /// Create a cluster, or complete an interrupted create.
    Create(Box<Create>),
    /// List clusters.
    List,
    /// Show a cluster and its nodes.
    Show {
        /// Cluster name or ID.
        cluster: String,
    },
    /// Follow a cluster until its operation ends.
    Watch {
        /// Cluster name or ID.
        cluster: String,
    },
    /// Stop a cluster: power off its nodes.
    Stop(Change),
    /// Start a stopped cluster.
    Start(Change),
    /// Delete a cluster, its VMs and its ports.
    Delete(Change),
}

/// A change of a cluster.
#[derive(Debug, Args)]
pub struct Change {
    /// Cluster name or ID.
    pub cluster: String,
    /// Return immediately; do not wait for the operation to end.
    #[arg(long)]
    pub no_wait: bool,
}

/// Create a cluster.
#[derive(Debug, Args)]
pub struct Create {
    /// Cluster name.
    #[arg(required_unless_present = "template")]
    pub name: Option<String>,
    /// Template with the cluster's properties; its networks must exist.
    #[arg(long, short, value_name = "FILE", conflicts_with_all = ["name", "network", "subnet", "cluster_type"])]
    pub template: Option<PathBuf>,
    /// Template parameter; may be repeated.
    #[arg(long = "param", short = 'P', value_name = "NAME=VALUE", value_parser = pair, requires = "template")]
    pub params: Vec<(String, String)>,
    /// Cluster ID; give it to complete an interrupted create. [default: a new ID]
    #[arg(long)]
    pub id: Option<uuid::Uuid>,
    /// Neutron network (name or ID).
    #[arg(long, required_unless_present = "template")]
    pub network: Option<String>,
    /// Neutron subnet (name or ID).
    #[arg(long, required_unless_present = "template")]
    pub subnet: Option<String>,
    /// BDE distribution.
    #[arg(long = "type", required_unless_present = "template", value_name = "DISTRO")]
    pub cluster_type: Option<String>,
    /// Security group (name or ID); may be repeated.
    #[arg(long = "security-group", value_name = "GROUP")]
    pub security_groups: Vec<String>,
    /// BDE resource pool; may be repeated.
    #[arg(long = "resource-pool", value_name = "POOL")]
    pub resource_pools: Vec<String>,
    /// Node group, for example worker=3:hadoop_datanode+hadoop_nodemanager; may be repeated.
    #[arg(long = "group", value_name = "NAME=COUNT:ROLE+ROLE")]
    pub groups: Vec<String>,
    /// File with the nodes' root password.
    #[arg(long, value_name = "FILE")]
    pub password_file: Option<PathBuf>,
    /// Return immediately; do not wait for the operation to end.
    #[arg(long)]
    pub no_wait: bool,
}

fn pair(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("expected NAME=VALUE".to_owned()),
    }
}

fn speed(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(x) if x.is_finite() && (0.01..=1000.0).contains(&x) => Ok(x),
        _ => Err("expected a number from 0.01 to 1000".to_owned()),
    }
}
