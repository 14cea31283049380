//! Circles of inheritance.

use super::super::finding::{Place, Report, quoted};
use super::super::index::Index;

/// How many names of a circle are printed.
const PRINTED: usize = 20;

/// How far an access control has been followed.
#[derive(Clone, Copy, PartialEq)]
enum Mark {
    New,
    OnPath,
    Done,
}

/// Tells of each circle, at the entry that closes it. `inherits` gives, by position, what each inherits from and where it
/// says so. What is to be deleted is left out.
pub(super) fn check(index: &Index, inherits: &[Vec<(u32, Place)>], report: &mut Report) {
    let mut marks: Vec<Mark> =
        index.controls.iter().map(|control| if control.delete { Mark::Done } else { Mark::New }).collect();
    for start in 0..marks.len() {
        if marks.get(start) != Some(&Mark::New) {
            continue;
        }
        // The way from `start`, and how many of each one's entries have been followed.
        let mut path: Vec<(usize, usize)> = vec![(start, 0)];
        set(&mut marks, start, Mark::OnPath);
        while let Some((at, followed)) = path.last_mut() {
            let at = *at;
            let Some((parent, place)) = inherits.get(at).and_then(|parents| parents.get(*followed)) else {
                set(&mut marks, at, Mark::Done);
                path.pop();
                continue;
            };
            *followed += 1;
            let parent = *parent as usize;
            match marks.get(parent) {
                Some(Mark::New) => {
                    set(&mut marks, parent, Mark::OnPath);
                    path.push((parent, 0));
                }
                Some(Mark::OnPath) => {
                    let from = path.iter().position(|(on_path, _)| *on_path == parent).unwrap_or_default();
                    let circle = path.iter().skip(from).map(|(on_path, _)| *on_path);
                    tell(index, circle, at, *place, report);
                }
                _ => {}
            }
        }
    }
}

fn set(marks: &mut [Mark], at: usize, mark: Mark) {
    if let Some(place) = marks.get_mut(at) {
        *place = mark;
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
