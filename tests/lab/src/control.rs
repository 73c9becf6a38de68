//! The control socket: how a test that attached to a lab asks the lab's owner to break or mend a process.
//!
//! One line in (`kill eu-west`), one line out (`ok`, or `error: why`). Only the owner can start a process again, since
//! children die with the thread that started them.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};

use crate::lab::Lab;

/// What can be done to a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Deed {
    Stop,
    Kill,
    Freeze,
    Thaw,
    Restart,
}

const DEEDS: [(&str, Deed); 5] = [
    ("stop", Deed::Stop),
    ("kill", Deed::Kill),
    ("freeze", Deed::Freeze),
    ("thaw", Deed::Thaw),
    ("restart", Deed::Restart),
];

/// Serves the lab's control socket until the process ends. Requests run one after the other per process name.
pub async fn serve_control(lab: Arc<Lab>) -> Result<()> {
    let path = lab.describe().control_socket.clone();
    if path.exists() {
        std::fs::remove_file(&path)?;
    }
    let listener = UnixListener::bind(&path).with_context(|| format!("listen on {}", path.display()))?;
    loop {
        let (stream, _) = listener.accept().await?;
        let lab = Arc::clone(&lab);
        tokio::spawn(async move {
            if let Err(error) = answer(&lab, stream).await {
                tracing::warn!("a control request was not answered: {error:#}");
            }
        });
    }
}

/// Asks the owner behind `socket`.
pub(crate) async fn ask(socket: &Path, deed: Deed, process: &str) -> Result<()> {
    let stream = UnixStream::connect(socket).await;
    let mut stream = BufReader::new(stream.with_context(|| format!("connect to {}", socket.display()))?);
    let verb = DEEDS.iter().find(|(_, known)| *known == deed).map_or("", |(verb, _)| verb);
    stream.get_mut().write_all(format!("{verb} {process}\n").as_bytes()).await?;
    let mut reply = String::new();
    stream.read_line(&mut reply).await?;
    if reply.trim() == "ok" { Ok(()) } else { bail!("{verb} {process}: {}", reply.trim()) }
}

async fn answer(lab: &Lab, stream: UnixStream) -> Result<()> {
    let mut stream = BufReader::new(stream);
    let mut request = String::new();
    stream.read_line(&mut request).await?;
    let reply = match carry_out(lab, request.trim()).await {
        Ok(()) => "ok\n".to_owned(),
        Err(error) => format!("error: {}\n", format!("{error:#}").replace('\n', " | ")),
    };
    stream.get_mut().write_all(reply.as_bytes()).await?;
    Ok(())
}

async fn carry_out(lab: &Lab, request: &str) -> Result<()> {
    let (verb, process) = request.split_once(' ').context("want: VERB PROCESS")?;
    let deed = DEEDS.iter().find(|(known, _)| *known == verb).context("unknown verb")?.1;
    lab.do_deed(deed, process).await
}
