//! Sealing of secrets: AES-256-GCM under a key file that only the service's user can read.
//!
//! Invariants: a nonce is random and used once; the cluster's key is bound in, so that a row
//! copied to another cluster does not open; no key is ever made where the database has already
//! been used with one. Port marks have a key of their own, derived from the same file.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;

use howdah_core::mark::MarkKey;
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::hkdf::{HKDF_SHA256, Prk};
use ring::rand::{SecureRandom, SystemRandom};
use secrecy::zeroize::Zeroizing;

use crate::StoreError;

const KEY_LEN: usize = 32;

/// The key, ready for use.
pub(crate) struct Sealer {
    key: LessSafeKey,
    marks: MarkKey,
    random: SystemRandom,
}

impl Sealer {
    /// Reads the key file, or makes one if `make` says that there may be none yet. `None` if
    /// there is none and none may be made.
    pub(crate) fn open(path: &Path, make: bool) -> Result<Option<Self>, StoreError> {
        let random = SystemRandom::new();
        let key = match read_key(path)? {
            Some(key) => key,
            None if make => make_key(path, &random)?,
            None => return Ok(None),
        };
        Self::new(&key, random).map(Some)
    }

    /// One for a store that ends with its process: its secrets never leave the memory.
    pub(crate) fn in_memory() -> Self {
        Self::new(&[0; KEY_LEN], SystemRandom::new()).expect("the key has the length that the algorithms need")
    }

    fn new(key: &[u8], random: SystemRandom) -> Result<Self, StoreError> {
        let marks = derive(key, "port marks")?;
        let key = UnboundKey::new(&AES_256_GCM, key).map_err(|_| StoreError::Random)?;
        Ok(Self { key: LessSafeKey::new(key), marks: MarkKey::new(marks.as_slice()), random })
    }

    /// The key of this installation's port marks: the same for as long as the key file is.
    pub(crate) fn mark_key(&self) -> MarkKey {
        self.marks.clone()
    }

    /// Nonce, ciphertext and tag, one after the other.
    pub(crate) fn seal(&self, context: &str, plain: &[u8]) -> Result<Vec<u8>, StoreError> {
        let mut nonce = [0; NONCE_LEN];
        self.random.fill(&mut nonce).map_err(|_| StoreError::Random)?;
        let mut text = Zeroizing::new(plain.to_vec());
        let tag = self
            .key
            .seal_in_place_separate_tag(Nonce::assume_unique_for_key(nonce), Aad::from(context), &mut text)
            .map_err(|_| StoreError::Random)?;
        let mut sealed = nonce.to_vec();
        sealed.extend_from_slice(&text);
        sealed.extend_from_slice(tag.as_ref());
        Ok(sealed)
    }

    /// What was sealed; `None` if key, context or text are not the same.
    pub(crate) fn unseal(&self, context: &str, sealed: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        let (nonce, text) = sealed.split_at_checked(NONCE_LEN)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
        let mut text = Zeroizing::new(text.to_vec());
        let length = self.key.open_in_place(nonce, Aad::from(context), &mut text).ok()?.len();
        text.truncate(length);
        Some(text)
    }
}

/// A key for another purpose, from which neither the file's key nor one of a third purpose follows:
/// HKDF's second step (RFC 5869), as the file's key is random already.
fn derive(key: &[u8], purpose: &str) -> Result<Zeroizing<[u8; KEY_LEN]>, StoreError> {
    let mut derived = Zeroizing::new([0; KEY_LEN]);
    Prk::new_less_safe(HKDF_SHA256, key)
        .expand(&[purpose.as_bytes()], HKDF_SHA256)
        .and_then(|output| output.fill(derived.as_mut_slice()))
        .map_err(|_| StoreError::Random)?;
    Ok(derived)
}

fn read_key(path: &Path) -> Result<Option<Zeroizing<Vec<u8>>>, StoreError> {
    let fail = |source| StoreError::ReadKey { path: path.to_owned(), source };
    let mut file = match File::open(path) {
        Ok(file) => file,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(fail(e)),
    };
    let mode = file.metadata().map_err(fail)?.permissions().mode() & 0o7777;
    if mode & 0o077 != 0 {
        return Err(StoreError::KeyExposed { path: path.to_owned(), mode });
    }
    let mut text = Zeroizing::new(String::new());
    // A wrong path may name anything: do not read all of it.
    (&mut file).take(1024).read_to_string(&mut text).map_err(fail)?;
    parse(text.trim()).map(Some).ok_or_else(|| StoreError::KeyForm { path: path.to_owned() })
}

fn parse(text: &str) -> Option<Zeroizing<Vec<u8>>> {
    unhex(text).map(Zeroizing::new).filter(|key| key.len() == KEY_LEN)
}

/// Bytes as lower-case hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    let digit = |nibble: u8| char::from(b"0123456789abcdef"[usize::from(nibble)]);
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

/// The bytes of hexadecimal digits; `None` if it is something else.
pub(crate) fn unhex(text: &str) -> Option<Vec<u8>> {
    let nibble = |digit: &u8| char::from(*digit).to_digit(16);
    let byte = |pair: &[u8]| match pair {
        [high, low] => u8::try_from(nibble(high)? * 16 + nibble(low)?).ok(),
        _ => None,
    };
    text.as_bytes().chunks(2).map(byte).collect()
}

/// Written beside and renamed, so that a crash leaves a whole key or none.
fn make_key(path: &Path, random: &SystemRandom) -> Result<Zeroizing<Vec<u8>>, StoreError> {
    let fail = |source| StoreError::MakeKey { path: path.to_owned(), source };
    let mut key = Zeroizing::new(vec![0; KEY_LEN]);
    random.fill(&mut key).map_err(|_| StoreError::Random)?;
    let text = Zeroizing::new(hex(&key));
    let mut name = path.as_os_str().to_owned();
    name.push(".new");
    let new = Path::new(&name);
    match fs::remove_file(new) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(fail(e)),
        _ => {}
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(new).map_err(fail)?;
    file.write_all(text.as_bytes())
        .and_then(|()| file.write_all(b"\n"))
        .and_then(|()| file.sync_all())
        .map_err(fail)?;
    fs::rename(new, path).map_err(fail)?;
    if let Some(folder) = path.parent().filter(|p| !p.as_os_str().is_empty()) {
        File::open(folder).and_then(|f| f.sync_all()).map_err(fail)?;
    }
    Ok(key)
}

#[cfg(test)]
mod tests {
    use howdah_core::ids::ClusterId;
    use howdah_core::mark::Mark;
    use uuid::Uuid;

    use super::*;

    fn sealer() -> Sealer {
        Sealer::new(&[7; KEY_LEN], SystemRandom::new()).unwrap()
    }

    #[test]
    fn the_key_of_marks_stays_the_same() {
        let mark = Mark::new(ClusterId(Uuid::from_u128(7)), "c-worker-3".into(), 0);
        let mac = "00:50:56:00:00:01".parse().unwrap();
        let told = sealer().mark_key().describe(&"p1".into(), &mark, mac);
        // With another tag, the installation would not recognise its own ports.
        insta::assert_snapshot!(told.rsplit_once('=').unwrap().1, @"96534619789d8e7e19b1512e4e66854a");
        let sealing = MarkKey::new(&[7; KEY_LEN]).describe(&"p1".into(), &mark, mac);
        assert_ne!(told, sealing, "the key that seals marks nothing");
    }

    #[test]
    fn what_is_sealed_opens_in_its_context_only() {
        let sealer = sealer();
        let sealed = sealer.seal("a", b"hush").unwrap();
        assert!(!sealed.windows(4).any(|w| w == b"hush"));
        assert_eq!(sealer.unseal("a", &sealed).unwrap().as_slice(), b"hush");
        assert!(sealer.unseal("b", &sealed).is_none());
        let mut bent = sealed.clone();
        *bent.last_mut().unwrap() ^= 1;
        assert!(sealer.unseal("a", &bent).is_none());
        assert!(sealer.unseal("a", &sealed[..5]).is_none());
        assert_ne!(sealer.seal("a", b"hush").unwrap(), sealed, "a nonce is never used twice");
    }

    #[test]
    fn a_key_is_64_hexadecimal_digits() {
        assert_eq!(parse(&"0f".repeat(32)).unwrap().as_slice(), &[15; 32]);
        assert_eq!(hex(&[0, 10, 255]), "000aff");
        assert_eq!(unhex("000aFF").unwrap(), [0, 10, 255]);
        assert!(unhex("0").is_none() && unhex("x0").is_none());
        for bad in ["", "0f", &"0g".repeat(32), &"ä".repeat(32), &"+1".repeat(32)] {
            assert!(parse(bad).is_none(), "{bad}");
        }
    }
}
