//! What is said about bad files, word for word.

use super::{errors, warnings};

/// A document, whether the schema sees what is wrong (none: it is not valid YAML, or is judged by the reader in a way that
/// the schema is not asked for), and what is said.
type Bad = (&'static str, Option<bool>, &'static [&'static str]);

#[test]
fn everything_wrong_is_told_with_its_place() {
    for (text, _, expected) in BAD {
        assert_eq!(errors(text), *expected, "{text}");
    }
}

#[test]
fn everything_odd_is_told_with_its_place() {
    for (text, expected) in ODD {
        assert_eq!(warnings(text), *expected, "{text}");
    }
}

pub(super) const BAD: &[Bad] = &[
    (
        "",
        Some(true),
        &["a.yml:1:1: an access file needs the key `accessProviders` | for no access at all write `accessProviders: []`"],
    ),
    (
        "\
# nothing
---
",
        Some(true),
        &["a.yml:1:1: an access file needs the key `accessProviders` | for no access at all write `accessProviders: []`"],
    ),
    (
        "- name: A\n",
        Some(true),
        &["a.yml:1:1: an access file is a map with the list `accessProviders`, found a list | begin the file with `accessProviders:`"],
    ),
    (
        "text\n",
        Some(true),
        &["a.yml:1:1: an access file is a map with the list `accessProviders`, found something else | begin the file with `accessProviders:`"],
    ),
    (
        "lastCalculated: 1\n",
        Some(true),
        &["a.yml:1:1: an access file needs the key `accessProviders` | for no access at all write `accessProviders: []`"],
    ),
    (
        "accessProvider: []\n",
        Some(true),
        &["a.yml:1:1: unknown key `accessProvider` in an access file | did you mean `accessProviders`?", "a.yml:1:1: an access file needs the key `accessProviders` | for no access at all write `accessProviders: []`"],
    ),
    (
        "\
accessProviders: {}
lastCalculated: x
owner: me
",
        Some(true),
        &["a.yml:1:18: `accessProviders` must be a list, found a map | begin each element with `- `", "a.yml:2:17: `lastCalculated` must be an integer of 64 bits, found a text | write it without quotes", "a.yml:3:1: unknown key `owner` in an access file | known here are `accessProviders`, `lastCalculated`, `fileBuildTime`, `$schema`"],
    ),
    (
        "\
accessProviders: []
accessProviders: []
",
        None,
        &["a.yml:2:1: the key `accessProviders` stands twice, first in line 1 | keep one of the two"],
    ),
    (
        "\
accessProviders: []
---
accessProviders: []
",
        None,
        &["a.yml:2:1: a second YAML document | put it into a file of its own"],
    ),
    (
        "accessProviders:\n\t- name: A\n",
        None,
        &["a.yml:2:2: not valid YAML: tabs disallowed within this context (block indentation) | indent with spaces"],
    ),
    (
        "accessProviders:\n  - name: \"A\n",
        None,
        &["a.yml:2:11: not valid YAML: unclosed quote | close the quote"],
    ),
    (
        "accessProviders: [{ name: A }\n",
        None,
        &["a.yml:1:18: not valid YAML: unclosed bracket '[' | close the bracket"],
    ),
    (
        "\
accessProviders:
  - name: A
 description: x
",
        None,
        &["a.yml:3:2: not valid YAML: while parsing a block mapping, did not find expected key | check the indentation: entries of one list or map begin in the same column"],
    ),
    (
        "\
accessProviders:
  - name: A: B
",
        None,
        &["a.yml:2:12: not valid YAML: mapping values are not allowed in this context | put a text that holds `: `, ` #` or begins with a special character in quotes"],
    ),
    (
        "\
accessProviders:
  - A
  -
  - []
",
        Some(true),
        &["a.yml:2:5: an element of `accessProviders` must be a map, found a text | write `- name: …`", "a.yml:3:4: an element of `accessProviders` must be a map, found nothing", "a.yml:4:5: an element of `accessProviders` must be a map, found a list"],
    ),
    (
        "\
accessProviders:
  - description: x
    who: { users: [ann] }
",
        Some(true),
        &["a.yml:2:5: an access provider needs the key `name` | add `name: …`"],
    ),
    (
        "accessProviders:\n  - name:\n  - name: ' '\n  - name: \"a\\u0007\"\n  - name: [A]\n",
        Some(true),
        &["a.yml:2:9: `name` has no value | give it a value", "a.yml:3:11: `name` holds an empty text", "a.yml:4:11: `name` holds `a\\u{7}`, with a control character in it (access control `a\\u{7}`)", "a.yml:5:11: `name` must be a text, found a list"],
    ),
    (
        "\
accessProviders:
  - { name: A, id: , action: , delete: , description: , type: , who: , what: }
",
        Some(true),
        &["a.yml:2:18: `id` has no value (access control `A`) | give it a value or remove it", "a.yml:2:28: `action` has no value (access control `A`) | give it a value or remove it", "a.yml:2:38: `delete` has no value (access control `A`) | give it a value or remove it"],
    ),
    (
        "\
accessProviders:
  - name: A
    Who: { users: [ann] }
    whoo: {}
    colour: red
",
        Some(true),
        &["a.yml:3:5: unknown key `Who` in an access provider (access control `A`) | did you mean `who`?", "a.yml:4:5: unknown key `whoo` in an access provider (access control `A`) | did you mean `who`?", "a.yml:5:5: unknown key `colour` in an access provider (access control `A`) | known here are `name`, `id`, `action`, `description`, `namingHint`, `type`, `externalId`, `actualName`, `who`, `what`, `policyRule`, `filterCriteria`, `delete`, `deletedWho`, `deleteWhat`, `whoLocked`, `inheritanceLocked`, `whatLocked`, `deleteLocked`, `commonDataObject`, `owners`"],
    ),
    (
        "\
accessProviders:
  - name: A
    who: { user: [ann] }
    who: { users: [bob] }
",
        None,
        &["a.yml:3:12: unknown key `user` in a who-list (access control `A`) | did you mean `users`?", "a.yml:4:5: the key `who` stands twice, first in line 3 | keep one of the two"],
    ),
    (
        "\
accessProviders:
  - name: A
    access:
      - who: { users: [ann] }
",
        Some(true),
        &["a.yml:3:5: an access provider has no `access` any more (access control `A`) | move its `who` and `what` to the access provider itself"],
    ),
    (
        "\
accessProviders:
  - { name: A, action: promise, delete: yes, whoLocked: 'true', namingHint: {} }
",
        Some(true),
        &["a.yml:2:24: `action` cannot be `promise` (access control `A`) | one of `grant`, `deny`, `mask`, `filtered`, `share`, `purpose`", "a.yml:2:41: `delete` must be true or false, found `yes` (access control `A`) | write `true` or `false`, without quotes", "a.yml:2:57: `whoLocked` must be true or false, found `true` (access control `A`) | write `true` or `false`, without quotes", "a.yml:2:77: `namingHint` must be a text, found a map (access control `A`)"],
    ),
    (
        "\
accessProviders:
  - { name: A, action: filterd }
",
        Some(true),
        &["a.yml:2:24: `action` cannot be `filterd` (access control `A`) | did you mean `filtered`?"],
    ),
    (
        "\
accessProviders:
  - name: A
    who: [ann]
    deletedWho: { users: ann, groups: [{ name: staff }, ~, ''] }
",
        None,
        &["a.yml:3:10: `who` must be a map, found a list (access control `A`)", "a.yml:4:26: `users` must be a list of texts, found a text (access control `A`) | begin each element with `- `, or write `[…]`", "a.yml:4:40: an element of `groups` must be a text, found a map (access control `A`)", "a.yml:4:57: an element of `groups` must be a text, found nothing (access control `A`)", "a.yml:4:60: an element of `groups` holds an empty text (access control `A`)"],
    ),
    (
        "\
accessProviders:
  - name: A
    who: { users: [ann, bob], groups: [g], inheritFrom: [B] }
    deletedWho: { users: [bob], groups: [g], inheritFrom: [B] }
",
        Some(false),
        &["a.yml:4:27: `bob` stands in `who.users` (line 3) and in `deletedWho.users` (access control `A`) | remove one of the two", "a.yml:4:42: `g` stands in `who.groups` (line 3) and in `deletedWho.groups` (access control `A`) | remove one of the two", "a.yml:4:60: `B` stands in `who.inheritFrom` (line 3) and in `deletedWho.inheritFrom` (access control `A`) | remove one of the two"],
    ),
    (
        "\
accessProviders:
  - name: A
    what:
      - dataObject: { fullName: d.t }
        permission: [SELECT]
      - fullName: d.t
      - dataObject: d.t
        permissions: SELECT
",
        Some(true),
        &["a.yml:4:21: a data object needs the key `type` (access control `A`) | add `type: …`", "a.yml:5:9: unknown key `permission` in an element of a what-list (access control `A`) | did you mean `permissions`?", "a.yml:6:9: unknown key `fullName` in an element of a what-list (access control `A`) | it belongs into `dataObject`", "a.yml:6:9: an element of a what-list needs the key `dataObject` (access control `A`) | add `dataObject: …`", "a.yml:7:21: `dataObject` must be a map, found a text (access control `A`)", "a.yml:8:22: `permissions` must be a list of texts, found a text (access control `A`) | begin each element with `- `, or write `[…]`"],
    ),
    (
        "\
accessProviders:
  - name: A
    what:
      - dataObject: { fullName: d.t, type: table }
      - dataObject: { fullName: d.u, type: table }
        permissions: []
      - dataObject: { fullName: d.v, type: table }
        permissions:
",
        Some(true),
        &["a.yml:4:9: no permission on `d.t` (access control `A`) | add `permissions`, such as `permissions: [SELECT]`", "a.yml:6:22: no permission on `d.u` (access control `A`) | add `permissions`, such as `permissions: [SELECT]`", "a.yml:8:20: no permission on `d.v` (access control `A`) | add `permissions`, such as `permissions: [SELECT]`"],
    ),
    (
        "\
accessProviders:
  - name: A
    what: [{ dataObject: { fullName: d.t, type: table }, permissions: [SELECT, INSERT] }]
    deleteWhat: [{ dataObject: { fullName: d.t, type: table }, permissions: [select] }]
",
        Some(false),
        &["a.yml:4:78: `select` on `d.t` stands in `what` (line 3) and in `deleteWhat` (access control `A`) | remove one of the two"],
    ),
    (
        "\
accessProviders:
  - name: A
    policyRule: x
    filterCriteria: { literal: true }
",
        Some(true),
        &["a.yml:3:5: `policyRule` has no meaning with the action `grant` (access control `A`) | write `action: filtered`, or remove it", "a.yml:4:5: `filterCriteria` has no meaning with the action `grant` (access control `A`) | write `action: filtered`, or remove it"],
    ),
    (
        "\
accessProviders:
  - name: A
    action: filtered
    what: [{ dataObject: { fullName: d.t, type: table } }]
",
        Some(true),
        &["a.yml:3:5: a filter needs a condition (access control `A`) | add `policyRule` or `filterCriteria`"],
    ),
    (
        "\
accessProviders:
  - name: A
    action: filtered
    policyRule: ''
",
        Some(true),
        &["a.yml:4:17: `policyRule` is empty (access control `A`)"],
    ),
    (
        "\
accessProviders:
  - name: A
    action: filtered
    policyRule: x
    filterCriteria: { literal: true }
",
        Some(true),
        &["a.yml:5:5: a filter has either `policyRule` or `filterCriteria`, not both (access control `A`) | remove one of the two"],
    ),
    (
        "\
accessProviders:
  - name: A
    action: filtered
    filterCriteria:
      aggregator:
        operator: xor
        operands: []
",
        Some(true),
        &["a.yml:6:19: `operator` cannot be `xor` (access control `A`) | did you mean `Or`?", "a.yml:7:19: `operands` is empty (access control `A`)"],
    ),
    (
        "\
accessProviders:
  - name: A
    action: filtered
    filterCriteria: { literal: true, comparison: { operator: '=', leftOperand: {}, rightOperand: { literal: { int: 1.5 }, reference: { entityType: column, entityId: x } } } }
",
        Some(true),
        &["a.yml:4:21: a node of the filter criteria must have exactly one of its keys, found 2 (access control `A`) | give one of `literal`, `comparison`, `aggregator`, `unaryExpression`", "a.yml:4:62: `operator` cannot be `=` (access control `A`) | one of `Equal`, `NotEqual`, `LessThan`, `LessThanOrEqual`, `GreaterThan`, `GreaterThanOrEqual`", "a.yml:4:80: an operand must have exactly one of its keys, found 0 (access control `A`) | give one of `reference`, `literal`", "a.yml:4:98: an operand must have exactly one of its keys, found 2 (access control `A`) | give one of `reference`, `literal`", "a.yml:4:116: `int` must be an integer of 64 bits, found a number (access control `A`)", "a.yml:4:148: `entityType` cannot be `column` (access control `A`) | one of `ColumnReferenceByName`, `DataObject`"],
    ),
    (
        "\
accessProviders:
  - name: A
    action: filtered
    filterCriteria: { unaryExpression: { operator: not, operand: { literal: true } } }
",
        Some(true),
        &["a.yml:4:40: a unary expression needs the key `expression` (access control `A`) | add `expression: …`", "a.yml:4:57: unknown key `operand` in a unary expression (access control `A`) | known here are `operator`, `expression`"],
    ),
    (
        "\
accessProviders:
  - name: A
    action: filtered
    filterCriteria: { comparison: { operator: equal, leftOperand: { literal: { timestamp: tomorrow } }, rightOperand: { literal: { int: 9223372036854775808 } } } }
",
        None,
        &["a.yml:4:91: `timestamp` must be a time from 1970 on, found `tomorrow` (access control `A`) | write it as `2026-03-01T08:30:00Z`", "a.yml:4:137: `int` must be an integer of 64 bits, found a number (access control `A`)"],
    ),
    (
        "\
accessProviders:
  - { name: A, description: x }
  - { name: A, description: x }
  - { name: B, id: A }
  - { name: C, id: c1 }
  - { name: D, id: c1 }
",
        Some(false),
        &["a.yml:3:13: another access control has this name: a.yml:2:13 (access control `A`) | give one of the two another name", "a.yml:4:20: another access control has the id `A`: a.yml:2:13 (access control `B`) | give one of the two another id", "a.yml:6:20: another access control has the id `c1`: a.yml:5:13 (access control `D`) | give one of the two another id"],
    ),
    (
        "\
accessProviders:
  - { name: A, who: { inheritFrom: ['ID:sale', 'ID:'] } }
  - { name: Sales, id: sales }
",
        Some(false),
        &["a.yml:2:37: there is no access control with the id `sale` (access control `A`) | did you mean `ID:sales`?", "a.yml:2:48: there is no access control with the id `` (access control `A`)"],
    ),
    (
        "\
accessProviders:
  - { name: A, who: { inheritFrom: [B] } }
  - { name: B, who: { inheritFrom: ['ID:c'] } }
  - { name: Third, id: C, who: { inheritFrom: [A] } }
  - { name: D, who: { inheritFrom: [D] } }
",
        Some(false),
        &["a.yml:4:48: inheritance runs in a circle: `A` → `B` → `Third` → `A` (access control `Third`) | remove one of these entries of `inheritFrom`", "a.yml:5:37: inheritance runs in a circle: `D` → `D` (access control `D`) | remove one of these entries of `inheritFrom`"],
    ),
    (
        "\
accessProviders:
  - name: A
    who: { inheritFrom: [M, F, Gone, No] }
  - { name: M, action: mask }
  - { name: F, action: filtered, policyRule: x }
  - { name: Gone, delete: true }
  - { name: No, action: deny }
",
        Some(false),
        &["a.yml:3:26: it cannot inherit from `M`, which is a mask: a.yml:4:13 (access control `A`) | remove the entry", "a.yml:3:29: it cannot inherit from `F`, which is a filter: a.yml:5:13 (access control `A`) | remove the entry", "a.yml:3:32: it cannot inherit from `Gone`, which is to be deleted: a.yml:6:13 (access control `A`) | remove the entry", "a.yml:3:38: it cannot inherit from `No`, which denies access: a.yml:7:13 (access control `A`) | remove the entry"],
    ),
    (
        "\
accessProviders:
  - { name: a, description: x }
  - { name: A, description: x }
  - { name: B, who: { inheritFrom: [a] } }
",
        Some(false),
        &["a.yml:4:37: `a` could be `a` or `A`: letter case does not count in references (access control `B`) | give one of them another `id`"],
    ),
    (
        "\
accessProviders:
  - { name: A, who: *nobody }
  - { name: B, who: &w { users: [*w] } }
",
        None,
        &["a.yml:2:21: there is no anchor `&nobody` before this alias", "a.yml:3:34: an alias cannot stand inside of what it names"],
    ),
    (
        "\
accessProviders:
  - { name: !secret A, who: !!str x, description: !!int x }
  - { <<: x, name: B }
  - { ? [a] : b, name: C }
",
        None,
        &["a.yml:2:21: the tag `!secret` has no meaning here | remove it", "a.yml:2:35: `who` must be a map, found a text", "a.yml:2:57: `x` does not fit its tag `!!int` | remove the tag", "a.yml:3:11: `<<` takes a map or a list of maps, found a text | write `<<: *anchor`", "a.yml:4:9: a key must be a text"],
    ),
    (
        "\
accessProviders:
  - { name: A, who: { inheritFrom: [B, role] }, deletedWho: { inheritFrom: ['ID:b', role, C] } }
  - { name: B, description: x }
  - { name: C, description: x }
",
        Some(false),
        &[
            "a.yml:2:77: `ID:b` stands in `who.inheritFrom` (line 2) and in `deletedWho.inheritFrom` (access control `A`) | remove one of the two",
            "a.yml:2:85: `role` stands in `who.inheritFrom` (line 2) and in `deletedWho.inheritFrom` (access control `A`) | remove one of the two",
        ],
    ),
];

/// A document without errors, and what is said.
const ODD: &[(&str, &[&str])] = &[
    (
        "\
accessProviders:
  - { name: A }
",
        &["a.yml:2:13: it names nobody and nothing (access control `A`) | add `who` and `what`"],
    ),
    (
        "\
accessProviders:
  - { name: A, owners: [{ email: a@b }], who: { users: [ann, bob, ann] } }
",
        &[
            "a.yml:2:16: `owners` has no effect on a target (access control `A`) | owners are kept by Raito Cloud; remove it",
            "a.yml:2:67: `ann` stands twice in `users`, first in line 2 (access control `A`) | remove one of the two",
        ],
    ),
    (
        "\
accessProviders:
  - name: A
    what:
      - { dataObject: { fullName: d.t, type: table }, permissions: [SELECT, select] }
      - { dataObject: { fullName: d.t, type: table }, permissions: [INSERT, SELECT] }
",
        &[
            "a.yml:4:77: `select` stands twice in `permissions`, first in line 4 (access control `A`) | remove one of the two",
            "a.yml:5:35: `d.t` stands twice in `what`, first in line 4 (access control `A`) | write its permissions in one place",
            "a.yml:5:77: `SELECT` stands twice in `permissions`, first in line 4 (access control `A`) | remove one of the two",
        ],
    ),
    (
        "\
accessProviders:
  - { name: A, action: mask }
  - { name: B, action: mask, what: [{ dataObject: { fullName: d.t, type: table }, permissions: [SELECT] }] }
",
        &[
            "a.yml:2:13: it is put on no data object (access control `A`) | name its data object under `what`",
            "a.yml:3:97: permissions have no effect with the action `mask` (access control `B`) | leave `permissions` out",
        ],
    ),
    (
        "\
accessProviders:
  - { name: ' A', who: { users: ['ann '], recipients: [x] } }
",
        &[
            "a.yml:2:13: ` A` begins or ends with a space (access control ` A`)",
            "a.yml:2:34: `ann ` begins or ends with a space (access control ` A`)",
            "a.yml:2:43: `recipients` has an effect with the action `share` alone (access control ` A`) | name people under `users`",
        ],
    ),
    (
        "\
accessProviders:
  - { name: Sales, id: s1, who: { users: [ann] } }
  - { name: B, who: { inheritFrom: [sales, Sale, s1, other] } }
",
        &[
            "a.yml:3:37: `sales` is no access control of the files and taken for a name in the target (access control `B`) | did you mean `Sales`?",
            "a.yml:3:44: `Sale` is no access control of the files and taken for a name in the target (access control `B`) | did you mean `Sales`?",
            "a.yml:3:50: `s1` is no access control of the files and taken for a name in the target (access control `B`) | did you mean `ID:s1`?",
        ],
    ),
    (
        "\
accessProviders:
  - { name: A, who: { inheritFrom: [B, 'ID:b'] } }
  - { name: B, who: { users: [x] } }
",
        &["a.yml:2:40: `ID:b` is named twice in `inheritFrom` (access control `A`) | remove one of the two"],
    ),
    (
        "\
accessProviders:
  - { name: A, delete: true, deleteLocked: true }
",
        &[
            "a.yml:2:16: `delete` has no effect, because `deleteLocked` forbids it (access control `A`) | remove one of the two",
        ],
    ),
    (
        "\
accessProviders:
  - { name: Sales, id: 1, who: { users: [x] } }
  - { name: SALES, id: 2, who: { users: [x] } }
",
        &[
            "a.yml:3:13: the name differs from `Sales` by letter case alone: a.yml:2:13 (access control `SALES`) | targets may take the two for one",
        ],
    ),
    (
        "\
accessProviders:
  - { name: A, actualName: r, description: x, who: { groups: [g] } }
  - { name: B, actualName: r, description: x, who: { groups: [g] } }
",
        &[
            "a.yml:3:13: another access control has the `actualName` `r`: a.yml:2:13 (access control `B`) | both would change the same in the target",
        ],
    ),
];
