//! Valid bytes, bent: cut off, changed, made longer. For the tests of whatever reads what others write; nothing else uses it.

/// One change: which, where, and with what byte. Any three numbers are one; some change nothing.
pub type Bend = (u8, u16, u8);

/// The bytes after these changes, one after the other.
#[must_use]
pub fn bend(bytes: &[u8], bends: &[Bend]) -> Vec<u8> {
    let mut bent = bytes.to_vec();
    for &(which, place, with) in bends {
        let at = usize::from(place) % (bent.len() + 1);
        match which % 8 {
            0 => bent.truncate(at),
            1 => bent.get_mut(at).into_iter().for_each(|byte| *byte = with),
            2 => bent.get_mut(at).into_iter().for_each(|byte| *byte ^= 1_u8 << (with % 8)),
            3 => bent.insert(at, with),
            4 => bent.extend(std::iter::repeat_n(with, usize::from(place % 64))),
            5 => drop(bent.drain(at..bent.len().min(at + usize::from(with)))),
            6 => bent.extend_from_within(at..),
            _ => {}
        }
    }
    bent
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_cut_changed_and_made_longer() {
        let bent = |bends: &[Bend]| bend(b"orders", bends);
        assert_eq!(bent(&[(0, 2, 0)]), b"or");
        assert_eq!(bent(&[(1, 0, b'b')]), b"brders");
        assert_eq!(bent(&[(2, 1, 0)]), b"osders");
        assert_eq!(bent(&[(3, 6, b'!'), (5, 0, 2)]), b"ders!");
        assert_eq!(bent(&[(4, 3, b'x')]), b"ordersxxx");
        assert_eq!(bent(&[(6, 4, 0), (7, 1, 1), (1, 8, 0)]), b"ordersrs");
    }
}
