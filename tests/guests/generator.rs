//! Synthetic records of realistic size, the same in a sandboxed guest and compiled into the benchmark: about 460
//! bytes of JSON for a user.

/// The texts of a user.
pub struct SyntheticUser {
    /// Stable id.
    pub external_id: String,
    /// Display name.
    pub name: String,
    /// Account name.
    pub user_name: String,
    /// E-mail address.
    pub email: String,
    /// Two groups.
    pub groups: [String; 2],
    /// Key, value and source of three tags.
    pub tags: [[String; 3]; 3],
}

/// The texts of a data object.
pub struct SyntheticObject {
    /// Stable id.
    pub external_id: String,
    /// Last part of the name.
    pub name: String,
    /// Full path.
    pub full_name: String,
    /// For people.
    pub description: String,
    /// Parent's id; empty at the top.
    pub parent: String,
    /// One of `schema`, `table`, `column`.
    pub object_type: &'static str,
}

/// The texts of a statement.
pub struct SyntheticStatement {
    /// Stable id.
    pub external_id: String,
    /// Account name.
    pub user: String,
    /// Role in use.
    pub role: String,
    /// Text of the statement.
    pub query: String,
    /// Full names of two tables.
    pub tables: [String; 2],
    /// Milliseconds since 1970.
    pub start: u64,
}

/// The user with this number.
pub fn user(number: u64) -> SyntheticUser {
    let tag = |key: &str, value: String| [key.to_owned(), value, "synthetic".to_owned()];
    SyntheticUser {
        external_id: format!("00u{number:017x}"),
        name: format!("Given{} Family{number}", number % 997),
        user_name: format!("given{}.family{number}", number % 997),
        email: format!("given{}.family{number}@example.com", number % 997),
        groups: [format!("group-{:05}", number % 4096), format!("team-{:05}", number % 512)],
        tags: [
            tag("Department", format!("Department {}", number % 61)),
            tag("CostCenter", format!("CC-{:06}", number % 7919)),
            tag("City", format!("City {}", number % 251)),
        ],
    }
}

/// The data object with this number: schemas of 100 tables with 40 columns each.
pub fn object(number: u64) -> SyntheticObject {
    let (schema, table, column) = (number / 4101, number % 4101 / 41, number % 41);
    let schema_name = format!("warehouse.schema_{schema:05}");
    let table_name = format!("{schema_name}.customer_orders_{table:03}");
    let (object_type, full_name, parent, name) = if number.is_multiple_of(4101) {
        ("schema", schema_name.clone(), String::new(), format!("schema_{schema:05}"))
    } else if column == 1 {
        ("table", table_name.clone(), schema_name, format!("customer_orders_{table:03}"))
    } else {
        (
            "column",
            format!("{table_name}.column_{column:02}_{number}"),
            table_name,
            format!("column_{column:02}"),
        )
    };
    SyntheticObject {
        external_id: full_name.clone(),
        name,
        full_name,
        description: format!("Synthetic {object_type} number {number} of the benchmark"),
        parent,
        object_type,
    }
}

/// The statement with this number.
pub fn statement(number: u64) -> SyntheticStatement {
    let table = |offset: u64| {
        format!(
            "warehouse.schema_{:05}.customer_orders_{:03}",
            (number + offset) % 50,
            (number + offset) % 100
        )
    };
    let tables = [table(0), table(7)];
    SyntheticStatement {
        external_id: format!("01b{number:029x}"),
        user: format!("given{}.family{}", number % 997, number % 100_000),
        role: format!("ANALYST_{:03}", number % 211),
        query: format!(
            "SELECT o.customer_id, o.order_date, SUM(o.amount) AS total FROM {} o JOIN {} c ON o.customer_id = \
             c.customer_id WHERE o.order_date >= '2026-01-{:02}' GROUP BY 1, 2 ORDER BY total DESC LIMIT {}",
            tables[0],
            tables[1],
            number % 28 + 1,
            number % 1000
        ),
        tables,
        start: 1_760_000_000_000 + number * 137,
    }
}
