//! Signatures over files: whoever has the public key knows who wrote a file, and that nobody has changed it since.
//!
//! A signature is Ed25519's 64 bytes over the bytes of the file, in a file beside it; keys are PKCS #8 and SPKI in PEM.
//! So OpenSSL can make the keys and check the signatures.

use std::{
    fs::{self, OpenOptions},
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use aws_lc_rs::{
    encoding::{AsDer, PublicKeyX509Der},
    signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey},
};
use pem::{EncodeConfig, LineEnding, Pem};

use crate::{
    output::{unless_gone, whole_or_none},
    problem::{BAD_FILE, BAD_KEY, BAD_SIGNATURE, NOT_WRITTEN, Problem},
};

const PRIVATE: &str = "PRIVATE KEY";
const PUBLIC: &str = "PUBLIC KEY";
/// The end of the name of a signature.
const SIGNATURE: &str = "sig";

/// Makes a pair of keys: one that signs at this path, and one that verifies beside it. None that is there is replaced.
pub(crate) fn new_key(path: &Path) -> Result<PathBuf, Problem> {
    let failed = |_| Problem::new(&BAD_KEY, "it could not be made");
    let pair = Ed25519KeyPair::generate().map_err(failed)?;
    // OpenSSL does not read version 2 everywhere.
    let private = pair.to_pkcs8v1().map_err(failed)?;
    let public: PublicKeyX509Der<'_> = pair.public_key().as_der().map_err(failed)?;
    let public_path = path.with_added_extension("pub");
    write_key(path, PRIVATE, private.as_ref(), 0o600)?;
    write_key(&public_path, PUBLIC, public.as_ref(), 0o644)?;
    Ok(public_path)
}

fn write_key(path: &Path, tag: &str, key: &[u8], mode: u32) -> Result<(), Problem> {
    let config = EncodeConfig::new().set_line_ending(LineEnding::LF);
    let text = pem::encode_config(&Pem::new(tag, key), config);
    let file = OpenOptions::new().write(true).create_new(true).mode(mode).open(path);
    file.and_then(|mut file| file.write_all(text.as_bytes())).map_err(|it| not_written(path, &it))
}

/// Writes a file, and its signature if there is a key.
pub(crate) fn save(path: &Path, content: &[u8], key: Option<&Path>) -> Result<(), Problem> {
    if path.as_os_str() == "-" {
        if key.is_some() {
            let why = "standard output: a signature is a file beside another";
            return Err(Problem::new(&NOT_WRITTEN, why));
        }
        let written = unless_gone(io::stdout().write_all(content));
        return written.map_err(|error| not_written(path, &error));
    }
    if let Some(key) = key {
        let signature = signer(key)?.sign(content);
        replace(&path.with_added_extension(SIGNATURE), signature.as_ref())?;
    }
    replace(path, content)
}

fn replace(path: &Path, content: &[u8]) -> Result<(), Problem> {
    let written = whole_or_none(path, |part| fs::write(part, content));
    written.map_err(|error| not_written(path, &error))
}

/// Reads a file that the owner of this public key has signed.
pub(crate) fn verified(path: &Path, key: &Path) -> Result<Vec<u8>, Problem> {
    let key = read_key(key, PUBLIC)?;
    let content = read(path)?;
    let signature = read(&path.with_added_extension(SIGNATURE))?;
    let verified = UnparsedPublicKey::new(&ED25519, key.contents()).verify(&content, &signature);
    verified.map_err(|_| Problem::new(&BAD_SIGNATURE, path.display().to_string()))?;
    Ok(content)
}

fn signer(path: &Path) -> Result<Ed25519KeyPair, Problem> {
    let key = read_key(path, PRIVATE)?;
    Ed25519KeyPair::from_pkcs8(key.contents()).map_err(|why| bad_key(path, &why.to_string()))
}

fn read_key(path: &Path, tag: &str) -> Result<Pem, Problem> {
    let text = fs::read_to_string(path).map_err(|error| bad_key(path, &error.to_string()))?;
    let key = pem::parse(text).map_err(|error| bad_key(path, &error.to_string()))?;
    if key.tag() != tag {
        let found = shared::text::quote(key.tag());
        return Err(bad_key(path, &format!("it is a {found}: accepted is `{tag}`")));
    }
    Ok(key)
}

fn read(path: &Path) -> Result<Vec<u8>, Problem> {
    fs::read(path).map_err(|error| Problem::new(&BAD_FILE, format!("{}: {error}", path.display())))
}

fn bad_key(path: &Path, why: &str) -> Problem {
    Problem::new(&BAD_KEY, format!("{}: {why}", path.display()))
}

fn not_written(path: &Path, error: &io::Error) -> Problem {
    Problem::new(&NOT_WRITTEN, format!("{}: {error}", path.display()))
}
