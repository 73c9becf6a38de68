//! Importing mm2.properties files.
#[tokio::test]
async fn the_seeds_file_is_imported_whole() {
    "pair.import";
}
