//! Random sequences of access files, with changes made by hand in between. After each apply the server says of everybody
//! what the access file and the rights of others together give, nothing is left to do, and nothing else has changed.

use std::collections::BTreeSet;
use std::fmt;
use std::time::{SystemTime, UNIX_EPOCH};

use proptest::prelude::*;
use proptest::sample::Index;
use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestRng, TestRunner};

use crate::by_hand::{self, Hand};
use crate::document::{self, Control, Form, rendered};
use crate::facts::{Facts, Holder};
use crate::foreign;
use crate::judge;
use crate::names::{distinct, odd};
use crate::revokes;
use crate::site::Site;
use crate::world::{self, DATABASES, World};

/// Sequences, unless `RAITO_TEST_CASES` says another number.
const CASES: u32 = 8;

/// Access controls that a file can hold.
const SLOTS: usize = 6;

/// Names that they can have.
const NAMES: usize = 9;

/// What one of them is.
#[derive(Clone, Debug)]
struct Spec {
    name: Index,
    users: u8,
    stranger: bool,
    inherits: u8,
    what: Vec<(Index, u8)>,
}

/// What happens between two applies.
#[derive(Clone, Debug)]
struct Step {
    by_hand: Vec<Hand>,
    edits: Vec<(usize, Option<Spec>)>,
    form: Form,
}

#[derive(Clone)]
struct Case {
    world: World,
    ids: Vec<String>,
    names: Vec<String>,
    steps: Vec<Step>,
}

fn spec() -> impl Strategy<Value = Spec> {
    let what = proptest::collection::vec((any::<Index>(), any::<u8>()), 0..5);
    let parts = (any::<Index>(), any::<u8>(), proptest::bool::weighted(0.2), any::<u8>(), what);
    parts.prop_map(|(name, users, stranger, inherits, what)| Spec { name, users, stranger, inherits, what })
}

fn step() -> impl Strategy<Value = Step> {
    let edit = (0..SLOTS, proptest::option::weighted(0.8, spec()));
    let form = proptest::sample::select(vec![Form::Yaml, Form::Json, Form::Folder]);
    let by_hand = proptest::collection::vec(by_hand::any(), 0..4);
    let parts = (by_hand, proptest::collection::vec(edit, 0..=SLOTS), form);
    parts.prop_map(|(by_hand, edits, form)| Step { by_hand, edits, form })
}

fn case() -> impl Strategy<Value = Case> {
    let names = proptest::collection::vec(odd(), SLOTS + NAMES..=SLOTS + NAMES);
    let steps = proptest::collection::vec(step(), 3..=6);
    (world::any(), names, steps).prop_map(|(world, names, steps)| {
        // The name is the id where none is given, so no name may be another's id.
        let mut ids = distinct(names, true);
        let mut names = ids.split_off(SLOTS);
        // Longer than any name in the target may be.
        names.push("long ".repeat(40));
        Case { world, ids, names, steps }
    })
}

impl Case {
    /// The access controls after each step.
    fn files(&self) -> Vec<Vec<Control>> {
        let mut slots: Vec<Option<Spec>> = vec![None; SLOTS];
        let file = |step: &Step| {
            for (slot, spec) in &step.edits {
                slots[*slot].clone_from(spec);
            }
            self.file(&slots)
        };
        self.steps.iter().map(file).collect()
    }

    fn file(&self, slots: &[Option<Spec>]) -> Vec<Control> {
        let mut taken = BTreeSet::new();
        let mut controls: Vec<Control> = Vec::new();
        let mut ids: Vec<Option<String>> = Vec::new();
        let nameable: Vec<_> = self.world.nameable().collect();
        for (slot, spec) in slots.iter().enumerate() {
            let Some(spec) = spec else {
                ids.push(None);
                continue;
            };
            let start = spec.name.index(self.names.len());
            let name =
                self.names[start..].iter().chain(&self.names).find(|name| !taken.contains(*name)).unwrap();
            taken.insert(name);
            let id = if slot % 3 == 2 { name } else { &self.ids[slot] };
            let chosen = |bits: u8, at: usize| bits >> at & 1 == 1;
            let users = self.world.users.iter().enumerate().filter(|(at, _)| chosen(spec.users, *at));
            // Only from those before it, so there is no circle.
            let inherits = ids.iter().enumerate().filter(|(at, _)| chosen(spec.inherits, *at));
            let mut control = Control {
                id: id.clone(),
                name: name.clone(),
                users: users.map(|(_, user)| user.clone()).collect(),
                inherits: inherits.filter_map(|(_, id)| id.clone()).collect(),
                ..Control::default()
            };
            if spec.stranger && !self.names.contains(&self.world.stranger) {
                control.roles.insert(self.world.stranger.clone());
            }
            for (object, bits) in &spec.what {
                let object = *object.get(&nameable);
                let permissions = object.kind.permissions();
                let mut words: BTreeSet<&'static str> = BTreeSet::from([permissions[0]]);
                let some = permissions.iter().enumerate().filter(|(at, _)| chosen(*bits, *at));
                let some: BTreeSet<&'static str> = some.map(|(_, word)| *word).collect();
                if !some.is_empty() {
                    words = some;
                }
                control.what.entry(object.clone()).or_default().extend(words);
            }
            ids.push(Some(control.id.clone()));
            controls.push(control);
        }
        controls
    }
}

/// For whoever has to find out why.
impl fmt::Debug for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let World { users, stranger, owner, superuser, .. } = &self.world;
        writeln!(f, "\nusers {users:?}, stranger {stranger:?}, owner {owner:?}, superuser: {superuser}")?;
        for (step, file) in self.steps.iter().zip(self.files()) {
            writeln!(f, "--- {:?}, after {:?}", step.form, step.by_hand)?;
            for provider in rendered(&file) {
                writeln!(f, "{provider}")?;
            }
        }
        Ok(())
    }
}

#[track_caller]
fn differences(
    what: &str,
    expected: &BTreeSet<String>,
    found: &BTreeSet<String>,
) -> Result<(), TestCaseError> {
    let missing: Vec<_> = expected.difference(found).take(20).collect();
    let excess: Vec<_> = found.difference(expected).take(20).collect();
    prop_assert!(
        missing.is_empty() && excess.is_empty(),
        "{what}\nmissing: {missing:#?}\nin excess: {excess:#?}"
    );
    Ok(())
}

/// Runs a command that must end with this exit code.
fn expect(site: &Site, arguments: &[&str], code: i32, at: &str) -> Result<String, TestCaseError> {
    let outcome = site.access(arguments);
    prop_assert_eq!(outcome.code, code, "{}: {:?}\n{}{}", at, arguments, outcome.stdout, outcome.stderr);
    Ok(outcome.stdout)
}

fn check(site: &Site, case: &Case) -> Result<(), TestCaseError> {
    let mut world = case.world.clone();
    world.make(site);
    let mut facts = Facts::of_world(&world);
    let nothing = Step { by_hand: Vec::new(), edits: Vec::new(), form: Form::Json };
    // In the end everything goes.
    let steps = case.steps.iter().zip(case.files()).chain([(&nothing, Vec::new())]);
    for (at, (step, controls)) in steps.enumerate() {
        let mut deeds = Vec::new();
        for hand in &step.by_hand {
            deeds.extend(hand.act(site, &mut world, &mut facts));
        }
        let at = format!("step {at}, after {deeds:#?}");
        let path = document::write(site, &controls, step.form);
        let before = foreign::lines(site);
        let standing = judge::managed(site);

        let planned = site.access(&["plan", "-a", path, "--format", "json"]);
        prop_assert!(matches!(planned.code, 0 | 2), "{}: plan\n{}{}", at, planned.stdout, planned.stderr);
        let needless = revokes::needless(&planned.json(), &controls, &world, &standing);
        prop_assert!(needless.is_empty(), "{}: taken away, and still given: {:#?}", at, needless);
        expect(site, &["apply", "-a", path, "--yes", "--max-removals", "100%"], 0, &at)?;

        let managed = judge::managed(site);
        let ids: BTreeSet<String> = managed.values().cloned().collect();
        differences(&format!("{at}: ids"), &controls.iter().map(|one| one.id.clone()).collect(), &ids)?;
        prop_assert_eq!(managed.len(), controls.len(), "{}: an id stands twice: {:?}", at, managed);
        facts.memberships.retain(|(member, _)| match member {
            Holder::Control(id) => ids.contains(id),
            _ => true,
        });
        let mut expected = facts.clone();
        expected.add_file(&controls, &world);
        let expected = expected.lines(&judge::holders(site, &managed), &world);
        differences(&format!("{at}: rights"), &expected, &judge::lines(site, &managed))?;

        let again = expect(site, &["plan", "-a", path], 0, &at)?;
        prop_assert!(again.contains("nothing to change"), "{}: {}", at, again);
        expect(site, &["drift", "-a", path], 0, &at)?;
        let (before, after) = (before.into_iter().collect(), foreign::lines(site).into_iter().collect());
        differences(&format!("{at}: what is of others"), &before, &after)?;
    }
    Ok(())
}

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok().map(|text| text.parse().unwrap())
}

#[test]
fn after_each_apply_the_server_is_as_the_file_says() {
    let cases = number("RAITO_TEST_CASES").map_or(CASES, |cases| u32::try_from(cases).unwrap());
    let now = || SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let seed = number("RAITO_TEST_SEED").unwrap_or_else(now);
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    // Finding a smaller case takes a minute at most.
    let config = Config {
        cases,
        failure_persistence: None,
        max_shrink_iters: 120,
        max_shrink_time: 60_000,
        ..Config::default()
    };
    let mut runner = TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::ChaCha, &bytes));
    let site = Site::start(&DATABASES);
    if let Err(error) = runner.run(&case(), |case| check(&site, &case)) {
        panic!("RAITO_TEST_SEED={seed}: {error}");
    }
}
