//! The UNIX socket. Invariants: a socket in use is never removed, and nothing else than a socket is
//! removed; only the user and group of the service may connect, at every moment and with any umask: the
//! socket is created in a private directory, and moved to its place when its mode is set.

use std::fs;
use std::io;
use std::os::unix::fs::{DirBuilderExt, FileTypeExt, PermissionsExt};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use tokio::net::UnixListener;

use crate::ServerError;

/// The socket's mode: the service's user and group may connect. With `auth = "local"` they are operators.
const MODE: u32 = 0o660;
/// The mode of the private directory.
const PRIVATE: u32 = 0o700;

/// Listens, and replaces a socket that a killed service left behind.
///
/// # Errors
/// If another process listens there, the path is not a socket, or the socket cannot be created.
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
    let private = Private::make(path).map_err(fail)?;
    let listener = UnixListener::bind(&private.socket).map_err(fail)?;
    fs::set_permissions(&private.socket, fs::Permissions::from_mode(MODE)).map_err(fail)?;
    fs::rename(&private.socket, path).map_err(fail)?;
    Ok(listener)
}

/// A private directory next to the socket's place; it is removed when dropped.
struct Private {
    folder: PathBuf,
    socket: PathBuf,
}

impl Private {
    fn make(path: &Path) -> io::Result<Self> {
        let mut name = path.as_os_str().to_owned();
        name.push(".new");
        let folder = PathBuf::from(name);
        // Short: a socket's path has at most 107 characters.
        let socket = folder.join("s");
        let make = || fs::DirBuilder::new().mode(PRIVATE).create(&folder);
        match make() {
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {
                // A service was killed here. Other files in it are not ours and stay.
                let _ = fs::remove_file(&socket);
                fs::remove_dir(&folder)?;
                make()?;
            }
            made => made?,
        }
        Ok(Self { folder, socket })
    }
}

impl Drop for Private {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.socket);
        let _ = fs::remove_dir(&self.folder);
    }
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
        assert_eq!(said(&e), "/run/howdah.sock exists but is not a socket");
        assert_eq!(fs::read(&path).unwrap(), b"precious");
    }

    #[test]
    fn the_folder_that_it_is_made_in_is_closed_and_does_not_stay() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("howdah.sock");
        let private = Private::make(&path).unwrap();
        let inside = private.socket.clone();
        assert_eq!(inside.parent().unwrap(), private.folder);
        // The mode is an argument of mkdir: a umask can only restrict it.
        assert_eq!(fs::metadata(&private.folder).unwrap().permissions().mode() & 0o777, 0o700);
        // The state after a kill.
        fs::write(&inside, "").unwrap();
        std::mem::forget(private);
        drop(Private::make(&path).unwrap());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}
