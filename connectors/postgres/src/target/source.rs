//! Where the desired access controls come from.

use raito_connector::{DesiredAccessControl, DesiredAccessControls, Result};

/// Hands the desired access controls in, as often as they are looked at: every round gives the same ones in the same
/// order.
pub trait Source: Iterator<Item = Result<DesiredAccessControl>> {
    /// Begins a new round.
    ///
    /// # Errors
    /// If the access controls cannot be given again.
    fn restart(&mut self) -> Result<()>;
}

impl Source for DesiredAccessControls<'_> {
    fn restart(&mut self) -> Result<()> {
        DesiredAccessControls::restart(self)
    }
}
