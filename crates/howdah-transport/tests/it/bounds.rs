//! Answers over the limit, from an arbitrary server: reading stops at the limit, and the client closes the
//! connection.

use std::io::Write;
use std::net::SocketAddr;
use std::time::Duration;

use flate2::Compression;
use flate2::write::GzEncoder;
use howdah_core::failure::ErrorKind;
use howdah_transport::{ANSWER_LIMIT, Deadlines, Http, TransportError, Trust};
use reqwest::Method;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::sync::oneshot;

const MIB: usize = 1024 * 1024;

/// A server that answers one request with `head` and then `times` times `piece`. Returns how many bytes of
/// pieces it sent before the client disconnected.
async fn saying(head: &str, piece: Vec<u8>, times: usize) -> (SocketAddr, oneshot::Receiver<usize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (tell, told) = oneshot::channel();
    let head = format!("HTTP/1.1 200 OK\r\n{head}\r\n\r\n");
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut request = [0; 4096];
        assert!(stream.read(&mut request).await.unwrap() > 0);
        stream.write_all(head.as_bytes()).await.unwrap();
        let mut sent = 0;
        for _ in 0..times {
            if stream.write_all(&piece).await.is_err() {
                break;
            }
            sent += piece.len();
        }
        let _ = stream.shutdown().await;
        let _ = tell.send(sent);
    });
    (address, told)
}

async fn read(address: SocketAddr, limit: usize) -> Result<usize, TransportError> {
    let http = Http::new(&Trust::System, Deadlines { answer: Duration::from_secs(60), ..Deadlines::default() })?;
    let response = http.send(http.request(Method::GET, &format!("http://{address}/ports"))).await?;
    Ok(http.body_within(response, limit).await?.len())
}

async fn is_refused(head: &str, piece: Vec<u8>, limit: usize, says: &str) {
    let (address, told) = saying(head, piece, usize::MAX).await;
    let error = read(address, limit).await.unwrap_err();
    assert_eq!(error.to_string(), format!("http://{address} sent more than {says} in the answer of /ports"));
    assert_eq!(error.kind(), ErrorKind::BadAnswer);
    assert!(!error.was_not_sent(), "the server may have done what it was asked to do");
    // The buffers of the two sockets, besides the read bytes.
    let sent = told.await.unwrap();
    assert!(sent < limit + 32 * MIB, "reading went on until {sent} bytes were sent");
}

#[tokio::test]
async fn an_endless_body_ends_at_the_limit() {
    is_refused("connection: close", vec![b'x'; 65_536], 2 * MIB, "2 MiB").await;
    is_refused("connection: close", vec![b'x'; 65_536], 1000, "1000 bytes").await;
}

#[tokio::test]
async fn a_body_without_a_limit_of_its_own_has_the_common_one() {
    let (address, _told) = saying("connection: close", vec![b'x'; 65_536], usize::MAX).await;
    let http = Http::new(&Trust::System, Deadlines::default()).unwrap();
    let response = http.send(http.request(Method::GET, &format!("http://{address}/ports"))).await.unwrap();
    let error = http.body(response).await.unwrap_err();
    assert!(matches!(error, TransportError::TooLarge { limit: ANSWER_LIMIT, .. }), "{error}");
}

#[tokio::test]
async fn chunks_without_end_are_counted_together() {
    let chunk = [b"400\r\n".as_slice(), &[b'x'; 0x400], b"\r\n"].concat();
    is_refused("transfer-encoding: chunked", chunk, MIB, "1 MiB").await;
}

/// A thousand times as large when it is unpacked.
#[tokio::test]
async fn what_counts_is_what_comes_out_of_the_decompression() {
    let mut packer = GzEncoder::new(Vec::new(), Compression::default());
    packer.write_all(&vec![0; 16 * MIB]).unwrap();
    let bomb = packer.finish().unwrap();
    assert!(bomb.len() < MIB / 16, "{} bytes", bomb.len());
    for head in ["connection: close", &format!("content-length: {}", bomb.len())] {
        let head = format!("content-type: application/json\r\ncontent-encoding: gzip\r\n{head}");
        let (address, _told) = saying(&head, bomb.clone(), 1).await;
        let error = read(address, 4 * MIB).await.unwrap_err();
        assert!(matches!(error, TransportError::TooLarge { limit, .. } if limit == 4 * MIB), "{error}");
        // With a sufficient limit, it is a normal answer.
        let (address, _told) = saying(&head, bomb.clone(), 1).await;
        assert_eq!(read(address, 16 * MIB).await.unwrap(), 16 * MIB);
    }
}

#[tokio::test]
async fn a_content_length_is_neither_believed_nor_needed() {
    // It announces a terabyte: the client allocates nothing for it, and stops at the limit.
    is_refused("content-length: 1099511627776", vec![b'x'; 65_536], MIB, "1 MiB").await;
    // It announces more than it sends.
    let (address, _told) = saying("content-length: 1099511627776", vec![b'x'; 100], 1).await;
    let error = read(address, MIB).await.unwrap_err();
    assert!(matches!(error, TransportError::Broken { .. }), "{error}");
    // It announces less than it sends: the rest is not part of the answer.
    let (address, _told) = saying("content-length: 100", vec![b'x'; MIB], 1).await;
    assert_eq!(read(address, 100).await.unwrap(), 100);
}

#[tokio::test]
async fn an_answer_as_large_as_the_limit_is_read() {
    for (size, fits) in [(1000, true), (1001, false)] {
        let (address, _told) = saying(&format!("content-length: {size}"), vec![b'x'; size], 1).await;
        assert_eq!(read(address, 1000).await.is_ok(), fits, "{size}");
    }
}
