//! Memory does not follow the size of a file.

use std::cell::Cell;
use std::fmt::Write as _;
use std::io::Read;
use std::path::PathBuf;
use std::rc::{Rc, Weak};

use super::super::finding::Report;
use super::super::top;
use super::super::tree::Node;
use super::errors;

/// A file that is made while it is read: a beginning, elements, an end.
struct Endless<'a> {
    start: &'a str,
    element: &'a str,
    end: &'a str,
    elements: usize,
    pending: Vec<u8>,
    read: Rc<Cell<usize>>,
    begun: bool,
}

impl Read for Endless<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        while self.pending.is_empty() {
            if !self.begun {
                self.begun = true;
                self.pending.extend(self.start.bytes());
            } else if self.elements > 0 {
                self.elements -= 1;
                self.pending.extend(self.element.bytes());
            } else if self.end.is_empty() {
                return Ok(0);
            } else {
                self.pending.extend(std::mem::take(&mut self.end).bytes());
            }
        }
        let length = buffer.len().min(self.pending.len());
        buffer[..length].copy_from_slice(&self.pending[..length]);
        self.pending.drain(..length);
        self.read.set(self.read.get() + length);
        Ok(length)
    }
}

#[test]
fn one_access_provider_is_held_at_a_time() {
    const ELEMENTS: usize = 5_000;
    let yaml = "  - name: A\n    who: &who\n      users: [ann, bob]\n    deletedWho: *who\n";
    let json = r#"{"name": "A", "who": {"users": ["ann", "bob"]}},"#;
    for (start, element, end) in [
        ("accessProviders:\n", yaml, ""),
        ("{\"accessProviders\":[", json, "{}]}"),
        ("\n  {\n\"accessProviders\":\n[", json, "{}]}"),
        ("accessProviders:\n  [", json, "{}]"),
    ] {
        let read = Rc::new(Cell::new(0));
        let input = Endless {
            start,
            element,
            end,
            elements: ELEMENTS,
            pending: Vec::new(),
            read: Rc::clone(&read),
            begun: false,
        };
        let mut report = Report::new([PathBuf::from("a.yml")]);
        let mut last: Weak<Node> = Weak::new();
        let mut seen = 0;
        top::read(input, 0, &mut report, |node, _| {
            assert!(last.upgrade().is_none(), "the element before is still there: {start}");
            last = Rc::downgrade(node);
            seen += 1;
            let behind = read.get() - start.len() - (seen - 1) * element.len();
            // A block, and what the parser looks ahead.
            assert!(behind < 3 * 64 * 1024, "{behind} bytes were read before element {seen}: {start}");
        });
        assert_eq!(seen, ELEMENTS + usize::from(!end.is_empty()), "{start}");
        report.finish().unwrap();
    }
}

#[test]
fn aliases_cannot_grow_without_bound() {
    let mut text = String::from("x-0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
    for level in 1..20 {
        let below = format!("*a{}", level - 1);
        writeln!(text, "x-{level}: &a{level} [{}]", [&*below; 10].join(", ")).unwrap();
    }
    text.push_str("accessProviders: []\n");
    assert_eq!(
        errors(&text),
        [
            "a.yml:6:10: more than 1000000 values in one place, with what its aliases stand for | split it into several access providers"
        ]
    );
    // Ten times a hundred thousand, again and again.
    let mut text = format!("x-list: &list [x{}]\n", ", x".repeat(99_900));
    for at in 0..21 {
        writeln!(text, "x-{at}: [{}]", ["*list"; 10].join(", ")).unwrap();
    }
    text.push_str("accessProviders: []\n");
    let errors = errors(&text);
    assert_eq!(errors.len(), 1);
    assert!(errors[0].contains("the aliases of this file stand for too much"), "{errors:?}");
}

#[test]
fn merges_cannot_grow_without_bound() {
    let mut text = String::from("x-0: &a0 { a: 1, b: 2, c: 3, d: 4, e: 5, f: 6, g: 7, h: 8, i: 9, j: 10 }\n");
    for level in 1..20 {
        let below = format!("*a{}", level - 1);
        writeln!(text, "x-{level}: &a{level} {{ <<: [{}] }}", [&*below; 10].join(", ")).unwrap();
    }
    text.push_str("accessProviders: []\n");
    let errors = errors(&text);
    assert!(errors[0].contains("more than 1000000 values"), "{errors:?}");
}

#[test]
fn nesting_is_bounded() {
    for text in [
        format!("accessProviders: {}", "[".repeat(200_000)),
        format!("accessProviders: {}", "{a: ".repeat(200_000)),
        (0..400).fold(String::from("accessProviders:\n"), |text, depth| text + &" ".repeat(depth) + "- \n"),
        {
            // Aliases count with what is below them.
            let mut text = String::from("x-0: &a0 [x]\n");
            for level in 1..120 {
                writeln!(text, "x-{level}: &a{level} [*a{}]", level - 1).unwrap();
            }
            text + "accessProviders: []\n"
        },
    ] {
        let errors = errors(&text);
        assert_eq!(errors.len(), 1, "{errors:?}");
        assert!(errors[0].ends_with("lists and maps are nested more than 100 levels deep"), "{errors:?}");
    }
}

#[test]
fn a_text_is_bounded() {
    let text = format!("accessProviders: [{{ name: A, description: '{}' }}]\n", "x".repeat(17 << 20));
    assert!(errors(&text)[0].ends_with("no key or text may be longer than 16 MiB"), "{:?}", errors(&text));
}
