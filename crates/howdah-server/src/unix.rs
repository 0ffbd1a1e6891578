//! The UNIX socket. Invariant: a socket that somebody listens on is never taken away, and nothing
//! that is no socket is ever removed; only the user and group of the service may connect.

use std::fs;
use std::io;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use tokio::net::UnixListener;

use crate::ServerError;

/// Who may connect: the service's user and group. With `auth = "local"` that makes an operator.
const MODE: u32 = 0o660;

/// Listens, in place of a socket that a killed service left behind.
///
/// # Errors
/// If somebody listens there, something else is there, or the socket cannot be made.
pub fn listen(path: &Path) -> Result<UnixListener, ServerError> {
    let fail = |source| ServerError::ListenUnix { path: path.to_owned(), source };
    match fs::symlink_metadata(path) {
        Ok(found) if !found.file_type().is_socket() => {
            return Err(ServerError::UnixNotSocket { path: path.to_owned() });
        }
        Ok(_) => match UnixStream::connect(path) {
            Ok(_) => return Err(ServerError::UnixInUse { path: path.to_owned() }),
            Err(e) if e.kind() == io::ErrorKind::ConnectionRefused => fs::remove_file(path).map_err(fail)?,
            Err(e) => return Err(fail(e)),
        },
        Err(e) if e.kind() == io::ErrorKind::NotFound => {}
        Err(e) => return Err(fail(e)),
    }
    if let Some(folder) = path.parent().filter(|p| !p.as_os_str().is_empty()) {
        fs::create_dir_all(folder).map_err(fail)?;
    }
    // Made under another name and moved when its mode is right: for no moment may others connect.
    let new = beside(path);
    match fs::remove_file(&new) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(fail(e)),
        _ => {}
    }
    let listener = UnixListener::bind(&new).map_err(fail)?;
    fs::set_permissions(&new, fs::Permissions::from_mode(MODE)).map_err(fail)?;
    fs::rename(&new, path).map_err(fail)?;
    Ok(listener)
}

fn beside(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".new");
    name.into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use howdah_core::failure::chain;

    #[tokio::test]
    async fn only_a_dead_socket_is_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("run/howdah.sock");
        let said = |e: &ServerError| chain(e).replace(folder.path().to_str().unwrap(), "");
        let first = listen(&path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o660);
        let e = listen(&path).unwrap_err();
        assert_eq!(said(&e), "another process listens on /run/howdah.sock");
        drop(first);
        let second = listen(&path).unwrap();
        drop(second);
        fs::remove_file(&path).unwrap();
        fs::write(&path, "precious").unwrap();
        let e = listen(&path).unwrap_err();
        assert_eq!(said(&e), "/run/howdah.sock exists and is no socket");
        assert_eq!(fs::read(&path).unwrap(), b"precious");
    }
}
