//! The published GraphQL schema is the current one.

use std::path::Path;

#[test]
fn the_published_schema_is_the_current_one() -> Result<(), Box<dyn std::error::Error>> {
    let published = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/schema/raito-cloud.graphql");
    let current = raito_cloud::sdl();
    if std::env::var_os("RAITO_WRITE_SCHEMA").is_some() {
        std::fs::write(&published, &current)?;
    }
    assert!(
        std::fs::read_to_string(&published).unwrap_or_default() == current,
        "docs/schema/raito-cloud.graphql is not current; run this test with RAITO_WRITE_SCHEMA=1"
    );
    Ok(())
}
