//! Writes every sample page with the static files, to be looked at: `cargo run -p muster-web --example samples -- DIR`.

use std::{error::Error, fs, path::PathBuf};

use muster_web::{assets, samples};

fn main() -> Result<(), Box<dyn Error>> {
    let out = PathBuf::from(std::env::args().nth(1).unwrap_or_else(|| "target/samples".to_owned()));
    fs::create_dir_all(&out)?;
    for asset in assets::all() {
        fs::write(out.join(asset.name), asset.bytes)?;
    }
    for (name, mut html) in samples::all() {
        for asset in assets::all() {
            html = html.replace(&asset.path, asset.name);
        }
        fs::write(out.join(format!("{name}.html")), html)?;
    }
    println!("{}", out.display());
    Ok(())
}
