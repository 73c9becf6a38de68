//! Scripted trouble and the journal of calls, shared by the doubles of all three rooms.

/// One call of a trait, before it is known how it ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// World clock.
    pub tick: u64,
    /// Name of the trait's function: `create_acls`, `stop`, `send`.
    pub verb: &'static str,
    /// Cluster for Kafka calls, connector for flows, audience for routing.
    pub place: String,
    /// What it is about: topic, group, bindings.
    pub object: String,
    /// Whether it is meant to change something.
    pub mutating: bool,
}

/// Which side of the effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// Nothing happened yet.
    Before,
    /// The effect happened; the caller does not get to know.
    After,
}

/// Trouble, understood by the doubles of all rooms and turned into each room's own error.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// No answer in time.
    Timeout,
    /// The connection broke.
    Connection,
    /// A broker error code; for flows an HTTP status.
    Code(i16),
    /// The caller is dead: this call and every later one of any room fail with [`DIED`], without effect, until
    /// [`Faults::revive`].
    Died,
    /// The call never returns (drop the future). `World::hung` tells when that happened. Later calls work: they are
    /// the next worker's.
    Hang,
}

/// Text of the error every call gives after [`Fault::Died`].
pub const DIED: &str = "the caller died here";

/// A hook that sees every call twice.
pub type Hook = Box<dyn FnMut(&Call, When) -> Option<Fault> + Send>;

/// One line of the script.
struct Line {
    verb: Option<&'static str>,
    when: When,
    fault: Fault,
    /// Calls that match until it strikes; `None` strikes every time.
    left: Option<usize>,
}

/// The script.
#[derive(Default)]
pub struct Faults {
    lines: Vec<Line>,
    hook: Option<Hook>,
    dice: Option<(u64, u64)>,
    dead: bool,
}

impl std::fmt::Debug for Faults {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Faults").field("lines", &self.lines.len()).field("dead", &self.dead).finish()
    }
}

impl Faults {
    /// The `nth` call of `verb` from now (from 1) fails.
    pub fn fail(&mut self, verb: &'static str, nth: usize, when: When, fault: Fault) {
        self.lines.push(Line { verb: Some(verb), when, fault, left: Some(nth) });
    }

    /// The `nth` mutating call of any room from now (from 1) fails: the way to walk through every crash point.
    pub fn fail_mutation(&mut self, nth: usize, when: When, fault: Fault) {
        self.lines.push(Line { verb: None, when, fault, left: Some(nth) });
    }

    /// Every call of `verb` fails before it does anything, until [`Faults::clear`].
    pub fn always(&mut self, verb: &'static str, fault: Fault) {
        self.lines.push(Line { verb: Some(verb), when: When::Before, fault, left: None });
    }

    /// About one call in `one_in` times out, before or after its effect, decided by the seed alone.
    pub fn seeded(&mut self, seed: u64, one_in: u64) {
        self.dice = Some((seed | 1, one_in.max(1)));
    }

    /// Asks a hook about every call, before and after its effect.
    pub fn on_call(&mut self, hook: impl FnMut(&Call, When) -> Option<Fault> + Send + 'static) {
        self.hook = Some(Box::new(hook));
    }

    /// Forgets the script, the hook and the dice. The dead stay dead.
    pub fn clear(&mut self) {
        self.lines.clear();
        self.hook = None;
        self.dice = None;
    }

    /// Ends [`Fault::Died`]: the next caller is another worker.
    pub fn revive(&mut self) {
        self.dead = false;
    }

    /// What happens to this call at this moment.
    pub fn strike(&mut self, call: &Call, when: When) -> Option<Fault> {
        if self.dead {
            return Some(Fault::Died);
        }
        let fault =
            self.scripted(call, when).or_else(|| self.hook.as_mut().and_then(|hook| hook(call, when)));
        let fault = fault.or_else(|| self.thrown());
        self.dead = fault == Some(Fault::Died);
        fault
    }

    fn scripted(&mut self, call: &Call, when: When) -> Option<Fault> {
        let mut struck = None;
        for line in &mut self.lines {
            let meant = line.when == when && line.verb.map_or(call.mutating, |verb| verb == call.verb);
            if !meant {
                continue;
            }
            match &mut line.left {
                None => struck = Some(line.fault.clone()),
                Some(0) => {}
                Some(left) => {
                    *left -= 1;
                    if *left == 0 {
                        struck = Some(line.fault.clone());
                    }
                }
            }
        }
        struck
    }

    fn thrown(&mut self) -> Option<Fault> {
        let (state, one_in) = self.dice.as_mut()?;
        // xorshift64
        *state ^= *state << 13;
        *state ^= *state >> 7;
        *state ^= *state << 17;
        state.is_multiple_of(*one_in).then_some(Fault::Timeout)
    }
}
