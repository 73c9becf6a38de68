//! A mail server for tests: it keeps what it hears, in the clear or over TLS, and behaves as it is told.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicU64, Ordering},
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, date_time_ymd};
use rustls::{
    ServerConfig,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncRead, AsyncWrite, AsyncWriteExt as _, BufReader},
    net::{TcpListener, TcpStream},
};
use tokio_rustls::TlsAcceptor;

/// An authority that signs certificates of mail servers.
pub(crate) struct Authority {
    pub(crate) pem: String,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    pub(crate) fn new() -> Self {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, "authority of mail servers");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        Self { pem: params.self_signed(&key).unwrap().pem(), issuer: Issuer::new(params, key) }
    }

    /// What a server of that name speaks TLS with.
    pub(crate) fn sign(&self, name: &str, expired: bool) -> Arc<ServerConfig> {
        let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
        if expired {
            (params.not_before, params.not_after) = (date_time_ymd(2020, 1, 1), date_time_ymd(2021, 1, 1));
        }
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap().pem();
        let chain = vec![CertificateDer::from_pem_slice(certificate.as_bytes()).unwrap()];
        let key = PrivateKeyDer::from_pem_slice(key.serialize_pem().as_bytes()).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
        Arc::new(config.unwrap().with_no_client_auth().with_single_cert(chain, key).unwrap())
    }
}

/// How a server behaves.
#[derive(Clone, Default)]
pub(crate) struct Manners {
    /// What it speaks TLS with; none, and then it offers no STARTTLS either.
    pub(crate) tls: Option<Arc<ServerConfig>>,
    /// TLS comes first, and not by STARTTLS.
    pub(crate) from_the_start: bool,
    /// User and password without which it takes nothing.
    pub(crate) known: Option<(&'static str, &'static str)>,
    /// So many mails it refuses first, as if it were busy.
    pub(crate) busy: u64,
    /// What it answers to lines that begin so, instead of what it should; nothing at all to an empty one.
    pub(crate) answers: Vec<(&'static str, &'static str)>,
}

/// A line as it came.
#[derive(Debug, Clone)]
pub(crate) struct Heard {
    pub(crate) line: String,
    pub(crate) encrypted: bool,
}

/// A mail: who it is for, by the envelope, and its text.
#[derive(Debug, Clone, Default)]
pub(crate) struct Mail {
    pub(crate) recipients: Vec<String>,
    pub(crate) data: String,
}

/// See the module.
#[derive(Clone)]
pub(crate) struct MailSink {
    /// Where it is: host and port.
    pub(crate) place: String,
    manners: Manners,
    busy: Arc<AtomicU64>,
    heard: Arc<Mutex<Vec<Heard>>>,
    mails: Arc<Mutex<Vec<Mail>>>,
}

/// How a conversation went on.
#[derive(PartialEq, Eq)]
enum Then {
    Encrypt,
    End,
}

impl MailSink {
    pub(crate) async fn start(manners: Manners) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let sink = Self {
            place: listener.local_addr().unwrap().to_string(),
            busy: Arc::new(AtomicU64::new(manners.busy)),
            manners,
            heard: Arc::default(),
            mails: Arc::default(),
        };
        let this = sink.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let this = this.clone();
                tokio::spawn(async move { this.serve(stream).await });
            }
        });
        sink
    }

    pub(crate) fn mails(&self) -> Vec<Mail> {
        self.mails.lock().unwrap().clone()
    }

    /// Everything it was told, by whatever way.
    pub(crate) fn heard(&self) -> Vec<Heard> {
        self.heard.lock().unwrap().clone()
    }

    /// The first words of what came in the clear.
    pub(crate) fn heard_in_the_clear(&self) -> Vec<String> {
        let clear = self.heard().into_iter().filter(|heard| !heard.encrypted);
        clear.map(|heard| heard.line.split(' ').next().unwrap().to_owned()).collect()
    }

    /// A client that does not trust the certificate ends the handshake, and with it this.
    async fn serve(&self, stream: TcpStream) -> Option<()> {
        let tls = self.manners.tls.clone().map(TlsAcceptor::from);
        if self.manners.from_the_start {
            let mut stream = BufReader::new(tls?.accept(stream).await.ok()?);
            stream.write_all(b"220 sink\r\n").await.ok()?;
            self.talk(&mut stream, true).await?;
            return Some(());
        }
        let mut stream = BufReader::new(stream);
        stream.write_all(b"220 sink\r\n").await.ok()?;
        if self.talk(&mut stream, false).await? == Then::Encrypt {
            let mut stream = BufReader::new(tls?.accept(stream.into_inner()).await.ok()?);
            self.talk(&mut stream, true).await?;
        }
        Some(())
    }

    async fn talk<S>(&self, stream: &mut BufReader<S>, encrypted: bool) -> Option<Then>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let (mut mail, mut signed_in) = (Mail::default(), self.manners.known.is_none());
        while let Some(line) = self.hear(stream, encrypted).await {
            let told = self.manners.answers.iter().find(|(begin, _)| line.starts_with(begin));
            let answer = match told {
                Some((_, "")) => continue,
                Some((_, answer)) => format!("{answer}\r\n"),
                None => match line.split([' ', ':']).next().unwrap() {
                    "EHLO" => self.offers(encrypted),
                    "STARTTLS" => "220 go on\r\n".to_owned(),
                    "AUTH" => {
                        signed_in = self.knows(&line);
                        // As careless as a server can be.
                        if signed_in {
                            "235 ok\r\n".to_owned()
                        } else {
                            format!("535 5.7.8 not by {line}\r\n")
                        }
                    }
                    "MAIL" if !signed_in => "530 5.7.0 sign in first\r\n".to_owned(),
                    "MAIL" if self.is_busy() => "451 busy, come again\r\n".to_owned(),
                    "RCPT" => {
                        mail.recipients.push(line.clone());
                        "250 ok\r\n".to_owned()
                    }
                    "DATA" => {
                        stream.write_all(b"354 go on\r\n").await.ok()?;
                        while let Some(line) = self.hear(stream, encrypted).await
                            && line != "."
                        {
                            mail.data.push_str(&line);
                            mail.data.push('\n');
                        }
                        self.mails.lock().unwrap().push(std::mem::take(&mut mail));
                        "250 kept\r\n".to_owned()
                    }
                    "QUIT" => "221 bye\r\n".to_owned(),
                    _ => "250 ok\r\n".to_owned(),
                },
            };
            stream.write_all(answer.as_bytes()).await.ok()?;
            stream.flush().await.ok()?;
            if line == "STARTTLS" && answer.starts_with("220") {
                return Some(Then::Encrypt);
            }
        }
        Some(Then::End)
    }

    async fn hear<S: AsyncRead + Unpin>(&self, stream: &mut BufReader<S>, encrypted: bool) -> Option<String> {
        let mut line = String::new();
        if stream.read_line(&mut line).await.ok()? == 0 {
            return None;
        }
        let line = line.trim_end_matches(['\r', '\n']).to_owned();
        self.heard.lock().unwrap().push(Heard { line: line.clone(), encrypted });
        Some(line)
    }

    fn offers(&self, encrypted: bool) -> String {
        let starttls = if self.manners.tls.is_some() && !encrypted { "250-STARTTLS\r\n" } else { "" };
        let auth = if self.manners.known.is_some() { "250-AUTH PLAIN LOGIN\r\n" } else { "" };
        format!("250-sink\r\n{starttls}{auth}250 8BITMIME\r\n")
    }

    fn knows(&self, line: &str) -> bool {
        let plain = |(user, password): (&str, &str)| {
            format!("AUTH PLAIN {}", STANDARD.encode(format!("\0{user}\0{password}")))
        };
        self.manners.known.map(plain).is_some_and(|right| right == line)
    }

    fn is_busy(&self) -> bool {
        self.busy.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok()
    }
}
