//! Scalars of the schema.

use async_graphql::{InputValueError, InputValueResult, Scalar, ScalarType, Value};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// A moment, in milliseconds since 1970; RFC 3339 on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Time(pub(crate) i64);

#[Scalar(name = "Time")]
impl ScalarType for Time {
    fn parse(value: Value) -> InputValueResult<Self> {
        let Value::String(text) = &value else { return Err(InputValueError::expected_type(value)) };
        let moment = OffsetDateTime::parse(text, &Rfc3339).map_err(InputValueError::custom)?;
        i64::try_from(moment.unix_timestamp_nanos() / 1_000_000).map(Self).map_err(InputValueError::custom)
    }

    fn to_value(&self) -> Value {
        OffsetDateTime::from_unix_timestamp_nanos(i128::from(self.0) * 1_000_000)
            .ok()
            .and_then(|moment| moment.format(&Rfc3339).ok())
            .map_or(Value::Null, Value::String)
    }
}

/// A number of seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Duration(pub(crate) i64);

#[Scalar(name = "Duration")]
impl ScalarType for Duration {
    fn parse(value: Value) -> InputValueResult<Self> {
        match &value {
            Value::Number(number) => {
                number.as_i64().map(Self).ok_or_else(|| InputValueError::expected_type(value))
            }
            _ => Err(InputValueError::expected_type(value)),
        }
    }

    fn to_value(&self) -> Value {
        Value::Number(self.0.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offsets_and_fractions_are_read() {
        let read = |text: &str| Time::parse(Value::String(text.to_owned())).ok();
        assert_eq!(read("2025-05-01T12:00:00.123456789+02:00"), Some(Time(1_746_093_600_123)));
        assert_eq!(read("2025-05-01T10:00:00Z"), Some(Time(1_746_093_600_000)));
        assert_eq!(read("yesterday"), None);
        assert_eq!(Time(1_746_093_600_123).to_value(), Value::String("2025-05-01T10:00:00.123Z".to_owned()));
    }
}
