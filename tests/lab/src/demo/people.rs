//! The sample people of the demo.

use anyhow::Result;

use super::rest::Rest;

/// Password of every sample person; the demo listens on this machine only.
pub(super) const PASSWORD: &str = "muster-demo-only";
/// Made by Muster itself at its first start.
pub(super) const ADMIN: &str = "admin";
/// Plans, requests and drives.
pub(super) const OPERATOR: &str = "olga";
/// Approves and attests.
pub(super) const APPROVER: &str = "anton";
/// Imports and edits pairs.
pub(super) const OWNER: &str = "oscar";
/// Team that the sample pairs belong to.
pub(super) const TEAM: &str = "payments";

/// Operator, two approvers, owner and viewer, those who are not there yet.
pub(super) async fn create_people(admin: &Rest) -> Result<()> {
    if !admin.has(&format!("/teams/{TEAM}")).await? {
        admin.create_team(TEAM).await?;
    }
    let people = [
        (OPERATOR, "Olga Operator", "operator"),
        (APPROVER, "Anton Approver", "approver"),
        // Whoever asks never counts, so one approver alone would be too few.
        ("alma", "Alma Approver", "approver"),
        (OWNER, "Oscar Owner", "owner"),
        ("vera", "Vera Viewer", "viewer"),
    ];
    for (name, display_name, role) in people {
        if !admin.has(&format!("/users/{name}")).await? {
            admin.create_user(name, display_name, PASSWORD, role, TEAM).await?;
        }
    }
    Ok(())
}
