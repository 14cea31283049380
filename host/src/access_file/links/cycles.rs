//! Circles of inheritance.

use super::super::finding::{Place, Report, quoted};
use super::super::index::Index;

/// How many names of a circle are printed.
const PRINTED: usize = 20;

/// Tells of each circle, at the entry that closes it. `inherits` gives, by position, what each inherits from and where it
/// says so. What is to be deleted is left out.
pub(super) fn check(index: &Index, inherits: &[Vec<(u32, Place)>], report: &mut Report) {
    #[derive(Clone, Copy, PartialEq)]
    enum State {
        New,
        OnPath,
        Done,
    }
    let deleted = |at: usize| index.controls.get(at).is_none_or(|control| control.delete);
    let mut states = vec![State::New; inherits.len()];
    for start in 0..inherits.len() {
        if states.get(start) != Some(&State::New) || deleted(start) {
            continue;
        }
        // The way from `start`, and how many of each one's entries have been followed.
        let mut path: Vec<(usize, usize)> = vec![(start, 0)];
        while let Some((at, followed)) = path.last_mut() {
            let at = *at;
            set(&mut states, at, State::OnPath);
            let Some((parent, place)) = inherits.get(at).and_then(|parents| parents.get(*followed)) else {
                set(&mut states, at, State::Done);
                path.pop();
                continue;
            };
            *followed += 1;
            let parent = *parent as usize;
            match states.get(parent) {
                Some(State::New) if !deleted(parent) => path.push((parent, 0)),
                Some(State::OnPath) => {
                    let from = path.iter().position(|(on_path, _)| *on_path == parent).unwrap_or_default();
                    let circle = path.iter().skip(from).map(|(on_path, _)| *on_path);
                    tell(index, circle, at, *place, report);
                }
                _ => {}
            }
        }
    }

    fn set(states: &mut [State], at: usize, state: State) {
        if let Some(place) = states.get_mut(at) {
            *place = state;
        }
    }
}

fn tell(
    index: &Index,
    circle: impl Iterator<Item = usize>,
    closing: usize,
    place: Place,
    report: &mut Report,
) {
    let name = |at: usize| index.controls.get(at).map(|control| &*control.name).unwrap_or_default();
    let circle: Vec<usize> = circle.collect();
    let mut chain: Vec<String> = circle.iter().take(PRINTED).map(|at| quoted(name(*at))).collect();
    if circle.len() > PRINTED {
        chain.push(format!("… ({} more)", circle.len() - PRINTED));
    }
    chain.extend(circle.first().map(|at| quoted(name(*at))));
    let message = format!("inheritance runs in a circle: {}", chain.join(" → "));
    let hint = "remove one of these entries of `inheritFrom`";
    report.error(place, Some(name(closing)), message, Some(hint.into()));
}
