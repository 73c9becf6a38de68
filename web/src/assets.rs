//! The static files, inside the binary, each under an address that carries the hash of its content.
//!
//! The app answers `GET /assets/{*rest}` with [`find`] and may let browsers keep the answer for ever: changed content
//! has another address. Nothing is compressed here; that is the app's layer.

use std::sync::LazyLock;

use muster_domain::hash::sha256_hex;

/// One static file.
#[derive(Debug)]
pub struct Asset {
    /// Name in templates: `muster.css`.
    pub name: &'static str,
    /// `/assets/<first 16 digits of its SHA-256>/muster.css`.
    pub path: String,
    /// `Content-Type`.
    pub content_type: &'static str,
    /// Content.
    pub bytes: &'static [u8],
}

const CSS: &str = "text/css; charset=utf-8";
const JS: &str = "text/javascript; charset=utf-8";
const SVG: &str = "image/svg+xml";

static ASSETS: LazyLock<[Asset; 9]> = LazyLock::new(|| {
    [
        asset("muster.css", CSS, include_bytes!("../../static/muster.css")),
        asset("pages.css", CSS, include_bytes!("../../static/pages.css")),
        asset("mark.svg", SVG, include_bytes!("../../static/mark.svg")),
        asset("lag.js", JS, include_bytes!("../../static/lag.js")),
        asset("live.js", JS, include_bytes!("../../static/live.js")),
        asset("uplot.min.css", CSS, include_bytes!("../../static/vendor/uplot/uplot.min.css")),
        asset("uplot.iife.min.js", JS, include_bytes!("../../static/vendor/uplot/uplot.iife.min.js")),
        asset("htmx.min.js", JS, include_bytes!("../../static/vendor/htmx/htmx.min.js")),
        asset("hx-sse.min.js", JS, include_bytes!("../../static/vendor/htmx/hx-sse.min.js")),
    ]
});

fn asset(name: &'static str, content_type: &'static str, bytes: &'static [u8]) -> Asset {
    let path = format!("/assets/{}/{name}", &sha256_hex(bytes)[..16]);
    Asset { name, path, content_type, bytes }
}

/// Every static file.
#[must_use]
pub fn all() -> &'static [Asset] {
    ASSETS.as_slice()
}

/// The file an address stands for; `None` for an old hash as for an unknown name.
#[must_use]
pub fn find(path: &str) -> Option<&'static Asset> {
    all().iter().find(|asset| asset.path == path)
}

/// The address of a file, for templates. A name that is not in the table gives `/assets/missing/…`, which the test of
/// every page refuses.
#[must_use]
pub fn asset_path(name: &str) -> String {
    all()
        .iter()
        .find(|asset| asset.name == name)
        .map_or_else(|| format!("/assets/missing/{name}"), |asset| asset.path.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_asset_is_found_by_its_own_address_only() {
        let css = asset_path("muster.css");
        assert_eq!(find(&css).map(|asset| asset.content_type), Some(CSS));
        assert!(find("/assets/0000000000000000/muster.css").is_none());
        assert!(find("/assets/../Cargo.toml").is_none());
    }

    #[test]
    fn vendored_files_are_the_ones_the_readme_names() {
        let readme = include_str!("../../static/vendor/README.md");
        let ours = ["muster.css", "pages.css", "mark.svg", "lag.js", "live.js"];
        for asset in all().iter().filter(|asset| !ours.contains(&asset.name)) {
            assert!(readme.contains(&sha256_hex(asset.bytes)), "{} changed without its row", asset.name);
        }
    }
}
