//! Selects Neutron's endpoint from the catalogue, and builds URLs on it. Invariant: every URL starts with
//! the selected endpoint; a link in an answer never leads to another host. No token goes in clear text to a
//! host that only the catalogue names.

use url::Url;

use crate::keystone::Service;
use crate::settings::{Settings, base_url};
use crate::{Error, Interface};

pub(crate) const NETWORK: &str = "network";

/// Neutron's address without a version, from the catalogue.
pub(crate) fn neutron(catalog: &[Service], interface: Interface, region: Option<&str>) -> Result<Url, Error> {
    let fitting: Vec<_> = catalog
        .iter()
        .filter(|s| s.kind == NETWORK)
        .flat_map(|s| &s.endpoints)
        .filter(|e| e.interface == interface.word() && region.is_none_or(|r| e.region() == Some(r)))
        .collect();
    let Some(first) = fitting.first() else {
        let mut known: Vec<String> = catalog
            .iter()
            .flat_map(|s| s.endpoints.iter().map(move |e| (s, e)))
            .map(|(s, e)| format!("{} {} {}", s.kind, e.interface, e.region().unwrap_or("-")))
            .collect();
        known.sort();
        return Err(Error::NoEndpoint { interface: interface.word(), region: region.map(str::to_owned), known });
    };
    let mut regions: Vec<String> = fitting.iter().map(|e| e.region().unwrap_or("-").to_owned()).collect();
    regions.sort();
    regions.dedup();
    if regions.len() > 1 {
        return Err(Error::SeveralRegions { known: regions });
    }
    base_url("neutron_url", &first.url)
}

/// Refuses an address of the catalogue that would get tokens in clear text, unless it is Keystone's own host,
/// which gets them that way by configuration, or the operator allows it.
pub(crate) fn guarded(kind: &str, url: Url, settings: &Settings) -> Result<Url, Error> {
    let plain = url.scheme() != "https" && url.host() != settings.auth_url.host();
    if plain && !settings.allow_http_endpoints {
        return Err(Error::PlainEndpoint { kind: kind.to_owned(), url: url.to_string() });
    }
    Ok(url)
}

/// The address of a service in the catalogue.
pub(crate) fn of<'a>(
    catalog: &'a [Service],
    kind: &str,
    interface: Interface,
    region: Option<&str>,
) -> Option<&'a str> {
    let mut endpoints = catalog.iter().filter(|s| s.kind == kind).flat_map(|s| &s.endpoints);
    let fits = |e: &&crate::keystone::Endpoint| {
        e.interface == interface.word() && region.is_none_or(|r| e.region() == Some(r))
    };
    endpoints.find(fits).map(|e| e.url.as_str())
}

/// A URL below an endpoint; each part is escaped.
pub(crate) fn below(base: &Url, parts: &[&str]) -> Url {
    let mut url = base.clone();
    if let Ok(mut path) = url.path_segments_mut() {
        path.pop_if_empty().extend(parts);
    }
    url
}

#[cfg(test)]
mod tests {
    use super::*;

    fn catalog() -> Vec<Service> {
        serde_json::from_str(
            r#"[{"type": "identity", "endpoints": [{"interface": "public", "region": "one", "url": "http://k/v3"}]},
                {"type": "network", "endpoints": [
                  {"interface": "public", "region_id": "one", "url": "http://n1:9696/"},
                  {"interface": "internal", "region_id": "one", "url": "http://n1i/networking/v2.0/"},
                  {"interface": "public", "region": "two", "url": "http://n2:9696"}]}]"#,
        )
        .unwrap()
    }

    #[test]
    fn interface_and_region_pick_one() {
        let pick = |i, r| neutron(&catalog(), i, r).map(|u| u.to_string());
        assert_eq!(pick(Interface::Public, Some("two")).unwrap(), "http://n2:9696/");
        assert_eq!(pick(Interface::Internal, None).unwrap(), "http://n1i/networking");
        let said = [
            pick(Interface::Public, None).unwrap_err().to_string(),
            pick(Interface::Admin, Some("one")).unwrap_err().to_string(),
            neutron(&[], Interface::Public, None).unwrap_err().to_string(),
        ];
        insta::assert_snapshot!(said.join("\n"), @r#"
        the catalogue has the service type `network` in several regions: one, two
        the catalogue has no admin endpoint of the service type `network` in the region "one"; it has identity public one, network internal one, network public one, network public two
        the catalogue has no public endpoint of the service type `network`; it has nothing
        "#);
    }

    #[test]
    fn a_token_leaves_in_clear_only_for_keystones_own_host() {
        let keys = |auth_url: &str| crate::Keys {
            auth_url: Some(auth_url.to_owned()),
            token: Some("t".into()),
            ..crate::Keys::default()
        };
        let allowed = |auth_url: &str, url: &str| {
            let settings = keys(auth_url).settings(None).unwrap();
            guarded(NETWORK, Url::parse(url).unwrap(), &settings).is_ok()
        };
        for (auth_url, url, expected) in [
            ("http://k:5000", "http://k:9696", true),
            ("http://K:5000", "http://k/networking", true),
            ("https://k", "https://elsewhere:9696", true),
            ("https://k", "http://elsewhere:9696", false),
            ("http://k", "http://elsewhere:9696", false),
            ("http://k", "http://k.example:9696", false),
            ("http://10.0.0.1:5000", "http://10.0.0.2:9696", false),
            ("http://127.0.0.1:5000", "http://localhost:9696", false),
            ("http://[::1]:5000", "http://[::1]:9696", true),
        ] {
            assert_eq!(allowed(auth_url, url), expected, "{auth_url} {url}");
        }
        let settings = Settings { allow_http_endpoints: true, ..keys("https://k").settings(None).unwrap() };
        assert!(guarded(NETWORK, Url::parse("http://elsewhere").unwrap(), &settings).is_ok());
    }

    #[test]
    fn parts_are_escaped() {
        let base = Url::parse("http://n/networking").unwrap();
        assert_eq!(below(&base, &["v2.0", "ports", "a/../b"]).as_str(), "http://n/networking/v2.0/ports/a%2F..%2Fb");
        let bare = Url::parse("http://n:9696/").unwrap();
        assert_eq!(below(&bare, &["v2.0", "ports"]).as_str(), "http://n:9696/v2.0/ports");
    }
}
