//! The `vio.config` file of the 2015 plugin: `KEY=value` lines with the names of the `OS_`
//! variables of its time. It splits at the first `=` only, so a password may contain more of them.
//! It ignores unknown lines, like the plugin, and never shows a value in an error.

use std::path::Path;

use secrecy::SecretString;

use crate::{Error, Keys};

pub(crate) fn parse(text: &str, path: &Path) -> Result<Keys, Error> {
    let mut keys = Keys::default();
    for (n, line) in text.lines().enumerate() {
        let line = line.trim();
        let line = line.strip_prefix("export ").unwrap_or(line).trim_start();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let (key, value) = line.split_once('=').ok_or_else(|| Error::ParseFile {
            path: path.to_owned(),
            reason: format!("line {} is not KEY=value", n + 1),
        })?;
        let value = unquoted(value.trim());
        if value.is_empty() {
            continue;
        }
        let text = || Some(value.to_owned());
        let secret = || Some(SecretString::from(value));
        match key.trim() {
            "OS_AUTH_URL" => keys.auth_url = text(),
            "OS_USERNAME" => keys.username = text(),
            "OS_USER_ID" => keys.user_id = text(),
            "OS_PASSWORD" => keys.password = secret(),
            "OS_USER_DOMAIN_ID" => keys.user_domain_id = text(),
            "OS_USER_DOMAIN_NAME" => keys.user_domain_name = text(),
            "OS_TENANT_ID" | "OS_PROJECT_ID" => keys.project_id = text(),
            "OS_TENANT_NAME" | "OS_PROJECT_NAME" => keys.project_name = text(),
            "OS_PROJECT_DOMAIN_ID" => keys.project_domain_id = text(),
            "OS_PROJECT_DOMAIN_NAME" => keys.project_domain_name = text(),
            "OS_APPLICATION_CREDENTIAL_ID" => keys.application_credential_id = text(),
            "OS_APPLICATION_CREDENTIAL_NAME" => keys.application_credential_name = text(),
            "OS_APPLICATION_CREDENTIAL_SECRET" => keys.application_credential_secret = secret(),
            "OS_TOKEN" => keys.token = secret(),
            "OS_URL" => keys.neutron_url = text(),
            "OS_REGION_NAME" => keys.region = text(),
            "OS_INTERFACE" | "OS_ENDPOINT_TYPE" => keys.interface = text(),
            "OS_CACERT" => keys.cacert = Some(value.into()),
            _ => {}
        }
    }
    Ok(keys)
}

fn unquoted(value: &str) -> &str {
    ['"', '\''].iter().find_map(|q| value.strip_prefix(*q)?.strip_suffix(*q)).unwrap_or(value)
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;

    use super::*;
    use crate::settings::{Credentials, Domain, Named};

    const SHIPPED: &str = "\
# credentials of VIO
export OS_AUTH_URL=http://10.0.0.5:5000/v2.0
OS_USERNAME=admin
OS_PASSWORD=\"a=b=c #1\"
OS_TENANT_NAME=admin
OS_TENANT_ID=0123456789abcdef0123456789abcdef
OS_URL='http://10.0.0.5:9696/'
OS_TOKEN=0123456789abcdef0123456789abcdef
NSX_MANAGER=10.0.0.9
OS_REGION_NAME=

";

    fn keys(text: &str) -> Keys {
        parse(text, Path::new("vio.config")).unwrap()
    }

    #[test]
    fn the_file_of_2015_means_a_password_login_at_v3() {
        let settings = keys(SHIPPED).settings(None).unwrap();
        assert_eq!(settings.auth_url.as_str(), "http://10.0.0.5:5000/");
        assert_eq!(settings.neutron_url.unwrap().as_str(), "http://10.0.0.5:9696/");
        assert_eq!(settings.region, None);
        // Its OS_TOKEN is the tenant's ID and not a token, so the password is used.
        let Credentials::Password { user, password, project } = settings.credentials else {
            panic!("not a password login")
        };
        assert_eq!(user, Named::Name { name: "admin".into(), domain: Domain::Id("default".into()) });
        assert_eq!(password.expose_secret(), "a=b=c #1");
        assert_eq!(project, Named::Id("0123456789abcdef0123456789abcdef".into()));
    }

    #[test]
    fn the_names_of_today_are_taken_too() {
        let text = "OS_AUTH_URL=https://h/v3\nOS_USERNAME=u\nOS_PASSWORD=p\nOS_PROJECT_NAME=x\n\
                    OS_USER_DOMAIN_NAME=Default\nOS_PROJECT_DOMAIN_ID=d1\nOS_INTERFACE=internalURL";
        let settings = keys(text).settings(None).unwrap();
        let Credentials::Password { user, project, .. } = settings.credentials else { panic!("not a password login") };
        assert_eq!(user, Named::Name { name: "u".into(), domain: Domain::Name("Default".into()) });
        assert_eq!(project, Named::Name { name: "x".into(), domain: Domain::Id("d1".into()) });
        assert_eq!(settings.interface, crate::Interface::Internal);
    }

    #[test]
    fn a_token_counts_where_there_is_no_password() {
        let settings = keys("OS_AUTH_URL=https://h/v3\nOS_TOKEN=t").settings(None).unwrap();
        assert!(matches!(settings.credentials, Credentials::Token { project: None, .. }));
    }

    #[test]
    fn a_line_that_is_none_is_named_by_its_number_only() {
        let e = parse("OS_USERNAME=u\nsecret words", Path::new("/etc/vio.config")).unwrap_err();
        assert_eq!(e.to_string(), "cannot parse /etc/vio.config: line 2 is not KEY=value");
    }

    #[test]
    fn nothing_secret_is_in_the_debug_output() {
        let keys = keys(SHIPPED);
        assert!(!format!("{keys:?}").contains("a=b"), "{keys:?}");
        let settings = keys.settings(None).unwrap();
        assert!(!format!("{settings:?}").contains("a=b"), "{settings:?}");
    }
}
