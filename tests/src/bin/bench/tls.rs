//! HTTPS in front of the local cloud, with a chain of certificates like AWS's.

use std::fs;
use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use anyhow::Context;
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, PKCS_RSA_SHA256,
};
use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

/// Where Linux distributions have the roots that clients trust; the first is Amazon Linux's.
const BUNDLES: [&str; 2] =
    ["/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/certs/ca-certificates.crt"];

/// Who vouches for the endpoints.
pub(crate) struct Authority {
    /// The certificates that a server shows, its own first.
    chain: Vec<CertificateDer<'static>>,
    key: KeyPair,
    root: String,
}

impl Authority {
    /// A root, an authority below it, and a server that is called `localhost`.
    pub(crate) fn new() -> anyhow::Result<Self> {
        let root = CertifiedIssuer::self_signed(authority("root")?, key()?)?;
        let below = CertifiedIssuer::signed_by(authority("below")?, key()?, &root)?;
        let key = key()?;
        let server = CertificateParams::new(["localhost".to_owned()])?.signed_by(&key, &below)?;
        Ok(Self { chain: vec![server.der().clone(), below.der().clone()], key, root: root.pem() })
    }

    /// Writes what a client is to trust: this authority beside all that this machine trusts.
    pub(crate) fn write_bundle(&self, path: &Path) -> anyhow::Result<()> {
        let bundle = BUNDLES.into_iter().find(|it| Path::new(it).is_file());
        let bundle = bundle.context("this machine has no bundle of root certificates")?;
        let roots = fs::read_to_string(bundle).with_context(|| format!("cannot read {bundle}"))?;
        fs::write(path, roots + &self.root).context("cannot write the bundle")
    }

    /// An endpoint that passes all on to the address, until `tasks` is dropped.
    pub(crate) async fn serve(
        &self,
        cloud: SocketAddr,
        tasks: &mut JoinSet<()>,
    ) -> anyhow::Result<String> {
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(self.key.serialize_der()));
        let provider = Arc::new(aws_lc_rs::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(self.chain.clone(), key)?;
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let port = listener.local_addr()?.port();
        tasks.spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(pass_on(acceptor.clone(), client, cloud));
            }
        });
        Ok(format!("https://localhost:{port}"))
    }
}

/// What goes wrong here, the client sees.
async fn pass_on(acceptor: TlsAcceptor, client: TcpStream, cloud: SocketAddr) -> io::Result<()> {
    let mut cloud = TcpStream::connect(cloud).await?;
    for side in [&client, &cloud] {
        // What is written in pieces would otherwise wait 40 ms for the other side's acknowledgement.
        side.set_nodelay(true)?;
    }
    copy_bidirectional(&mut acceptor.accept(client).await?, &mut cloud).await?;
    Ok(())
}

/// Of RSA with 2048 bits, as those of AWS's endpoints and of their authority, Amazon RSA 2048.
fn key() -> anyhow::Result<KeyPair> {
    Ok(KeyPair::generate_for(&PKCS_RSA_SHA256)?)
}

fn authority(name: &str) -> anyhow::Result<CertificateParams> {
    let mut params = CertificateParams::new([])?;
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.distinguished_name.push(DnType::CommonName, name);
    Ok(params)
}
