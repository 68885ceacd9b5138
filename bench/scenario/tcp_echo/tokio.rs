// SPDX-License-Identifier: Apache-2.0
// Copyright the weft authors

//! tcp_echo on Tokio: a task for every connection.

use std::io;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

async fn echo(mut peer: TcpStream) -> io::Result<()> {
    peer.set_nodelay(true)?;
    let mut buffer = [0u8; 4096];
    loop {
        let n = peer.read(&mut buffer).await?;
        if n == 0 {
            return Ok(());
        }
        peer.write_all(&buffer[..n]).await?;
    }
}

async fn serve() -> io::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("{{\"port\": {}}}", listener.local_addr()?.port());
    loop {
        let (peer, _) = listener.accept().await?;
        tokio::spawn(echo(peer));
    }
}

fn main() {
    let runtime = contract::runtime(contract::parse().workers);
    let server = runtime.spawn(serve());
    runtime.block_on(server).expect("the server runs").expect("a listener");
}
