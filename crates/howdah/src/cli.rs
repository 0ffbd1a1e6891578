//! The command line as it is typed. Pure declaration: what a flag *does* stands in the module of
//! its command.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use crate::printer::Output;

/// Big-data clusters on vSphere for OpenStack, with an address on every node at its first boot.
#[derive(Debug, Parser)]
#[command(name = "howdah", version, max_term_width = 100, after_help = EXIT_CODES)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
    /// What stdout shall look like.
    #[arg(long, short, global = true, value_enum, default_value_t = Output::Text)]
    pub output: Output,
    /// No progress and no remarks.
    #[arg(long, short, global = true)]
    pub quiet: bool,
    /// More log lines on stderr; twice for even more.
    #[arg(long, short, global = true, action = clap::ArgAction::Count)]
    pub verbose: u8,
}

const EXIT_CODES: &str = "Exit codes: 0 done; 1 refused or failed; 2 wrong command line, file or configuration;
3 the service cannot be reached; 4 the service says that it cannot do its work;
130 interrupted.

Try it: howdah demo";

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Bring up a cluster in a simulated site and show what happens.
    Demo(Demo),
    /// Keep a simulated site running for other clients.
    Sandbox(Box<Sandbox>),
    /// Run the service.
    Serve(Serve),
    /// Create, list, show, watch, stop, start and delete clusters.
    Cluster {
        /// Where the service is.
        #[command(flatten)]
        connection: Connection,
        /// What to do.
        #[command(subcommand)]
        command: Cluster,
    },
    /// Look at the service's configuration.
    Config {
        /// What to do.
        #[command(subcommand)]
        command: Config,
    },
    /// Print completions for a shell.
    Completions {
        /// Which shell.
        shell: clap_complete::Shell,
    },
}

/// Bring up a cluster in a simulated site.
#[derive(Debug, Args)]
pub struct Demo {
    /// How many nodes; the largest group is made to fit.
    #[arg(long, short, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub nodes: u32,
    /// A template: HOT or CFN, simple. [default: the built-in examples/hadoop-2015.json]
    #[arg(long, short, value_name = "FILE")]
    pub template: Option<PathBuf>,
    /// A value for a parameter of the template.
    #[arg(long = "param", short = 'P', value_name = "NAME=VALUE", value_parser = pair)]
    pub params: Vec<(String, String)>,
    /// Let Neutron take its time with every port, so that guests ask too early.
    #[arg(long)]
    pub slow_neutron: bool,
    /// The seed of everything that is random in the simulated site.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// How much faster than real time the simulated site runs.
    #[arg(long, default_value_t = 20.0, value_parser = speed)]
    pub speed: f64,
}

/// Keep a simulated site running.
#[derive(Debug, Args)]
pub struct Sandbox {
    /// The address to listen on.
    #[arg(long, default_value = "127.0.0.1", value_name = "ADDRESS")]
    pub listen: std::net::IpAddr,
    /// The first of five ports: vCenter, BDE, Keystone, Neutron, control.
    /// [default: free ones]
    #[arg(long, value_name = "PORT")]
    pub port: Option<u16>,
    /// How its OpenStack implements networks.
    #[arg(long, value_enum, default_value_t = Backend::NsxV)]
    pub backend: Backend,
    /// The version that BDE says it is.
    #[arg(long, default_value = "2.3.2", value_name = "VERSION")]
    pub bde_version: String,
    /// VMs that have nothing to do with Howdah.
    #[arg(long, default_value_t = 0, value_name = "N")]
    pub bystanders: usize,
    /// The seed of everything that is random.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// How much faster than real time it runs.
    #[arg(long, default_value_t = 1.0, value_parser = speed)]
    pub speed: f64,
    /// Serve vCenter and BDE over TLS with a self-signed certificate.
    #[arg(long)]
    pub tls: bool,
    /// Let all clones of a cluster end at the same moment.
    #[arg(long)]
    pub cloned_at_once: bool,
    /// Write a configuration with which `howdah serve` works on this site.
    #[arg(long, value_name = "FILE")]
    pub config_out: Option<PathBuf>,
    /// Let nodes get their leases elsewhere, reported over the control port; for the lab.
    #[arg(long)]
    pub external_guests: bool,
}

/// How an OpenStack implements networks.
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
    /// The configuration.
    #[arg(long, short, env = "HOWDAH_CONFIG", default_value = "/etc/howdah/howdah.toml", value_name = "FILE")]
    pub config: PathBuf,
}

/// Look at the service's configuration.
#[derive(Debug, Subcommand)]
pub enum Config {
    /// Say where each value comes from and what is wrong.
    Check(Serve),
}

/// Where the service is and who asks.
#[derive(Debug, Args)]
pub struct Connection {
    /// The service: https://HOST:PORT, http://127.0.0.1:PORT or unix:/PATH. [default: the
    /// `data-processing` service of the Keystone catalogue]
    #[arg(long, global = true, env = "HOWDAH_ENDPOINT", value_name = "URL")]
    pub endpoint: Option<String>,
    /// A PEM file with the authority that signed the service's certificate.
    #[arg(long, global = true, env = "HOWDAH_CA_FILE", value_name = "FILE")]
    pub ca_file: Option<PathBuf>,
    /// A Keystone token. [default: log in as OS_* or clouds.yaml say]
    #[arg(long, global = true, env = "OS_TOKEN", hide_env_values = true, value_name = "TOKEN")]
    pub token: Option<String>,
    /// The site: where a cluster is made, and whose OpenStack the token is of. [default: the service's
    /// default site]
    #[arg(long, global = true, env = "HOWDAH_SITE", value_name = "NAME")]
    pub site: Option<String>,
    /// How long to go on trying while the service is lost, or answers that it cannot do its work.
    #[arg(long, global = true, env = "HOWDAH_PATIENCE", value_name = "SECONDS", default_value_t = 120)]
    pub patience: u64,
    /// The cloud in clouds.yaml.
    #[arg(long, global = true, env = "OS_CLOUD", value_name = "NAME")]
    pub cloud: Option<String>,
}

/// Work on clusters.
#[derive(Debug, Subcommand)]
pub enum Cluster {
    /// Create a cluster, or finish one that was begun.
    Create(Box<Create>),
    /// List clusters.
    List,
    /// Show a cluster and its nodes.
    Show {
        /// Its name or id.
        cluster: String,
    },
    /// Follow a cluster until its operation ends.
    Watch {
        /// Its name or id.
        cluster: String,
    },
    /// Switch a cluster off.
    Stop(Change),
    /// Switch a cluster on.
    Start(Change),
    /// Delete a cluster and everything that was made for it.
    Delete(Change),
}

/// A change of a cluster.
#[derive(Debug, Args)]
pub struct Change {
    /// Its name or id.
    pub cluster: String,
    /// Do not wait for the end.
    #[arg(long)]
    pub no_wait: bool,
}

/// Create a cluster.
#[derive(Debug, Args)]
pub struct Create {
    /// The cluster's name.
    #[arg(required_unless_present = "template")]
    pub name: Option<String>,
    /// A template with the cluster's properties (its networks have to exist).
    #[arg(long, short, value_name = "FILE", conflicts_with_all = ["name", "network", "subnet", "cluster_type"])]
    pub template: Option<PathBuf>,
    /// A value for a parameter of the template.
    #[arg(long = "param", short = 'P', value_name = "NAME=VALUE", value_parser = pair, requires = "template")]
    pub params: Vec<(String, String)>,
    /// The id, to finish a cluster that was begun. [default: a new one]
    #[arg(long)]
    pub id: Option<uuid::Uuid>,
    /// Neutron network, by name or id.
    #[arg(long, required_unless_present = "template")]
    pub network: Option<String>,
    /// Neutron subnet, by name or id.
    #[arg(long, required_unless_present = "template")]
    pub subnet: Option<String>,
    /// Distribution.
    #[arg(long = "type", required_unless_present = "template", value_name = "DISTRO")]
    pub cluster_type: Option<String>,
    /// Security group, by name or id; may be repeated.
    #[arg(long = "security-group", value_name = "GROUP")]
    pub security_groups: Vec<String>,
    /// Resource pool; may be repeated.
    #[arg(long = "resource-pool", value_name = "POOL")]
    pub resource_pools: Vec<String>,
    /// A node group; may be repeated: worker=3:hadoop_datanode+hadoop_nodemanager
    #[arg(long = "group", value_name = "NAME=COUNT:ROLE+ROLE")]
    pub groups: Vec<String>,
    /// A file with the nodes' root password.
    #[arg(long, value_name = "FILE")]
    pub password_file: Option<PathBuf>,
    /// Do not wait for the end.
    #[arg(long)]
    pub no_wait: bool,
}

fn pair(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("it has to be NAME=VALUE".to_owned()),
    }
}

fn speed(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(x) if x.is_finite() && (0.01..=1000.0).contains(&x) => Ok(x),
        _ => Err("it has to be a number from 0.01 to 1000".to_owned()),
    }
}
