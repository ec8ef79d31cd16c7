//! Error bodies of the Librato API, as its clients parse them.
//!
//! A refusal of a field is `{"errors":{"params":{FIELD:[MESSAGE]}}}`, of a request
//! `{"errors":{"request":[MESSAGE]}}`, trouble of ours `{"errors":{"system":[MESSAGE]}}`.
//! Two bodies of the measurement side have shapes of their own.

use crate::store::{
    ChangeError, Description, PropertyError, ReadError, SpaceError, VALUE_MAX, WriteError,
};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

/// An answer that is not a success.
#[derive(Clone, Debug, PartialEq)]
pub struct Refusal {
    pub status: StatusCode,
    pub body: Value,
}

impl Refusal {
    pub fn request(status: StatusCode, message: impl Into<String>) -> Self {
        Refusal {
            status,
            body: json!({"errors": {"request": [message.into()]}}),
        }
    }

    pub fn system(message: impl Into<String>) -> Self {
        let body = json!({"errors": {"system": [message.into()]}});
        Refusal {
            status: StatusCode::SERVICE_UNAVAILABLE,
            body,
        }
    }

    pub fn param(field: &str, message: impl Into<String>) -> Self {
        bad_request(json!({"errors": {"params": {field: [message.into()]}}}))
    }

    /// With the metric's name beside the field, where clients have seen it.
    pub fn param_of(name: &str, field: &str, message: impl Into<String>) -> Self {
        bad_request(json!({"errors": {"params": {field: [message.into()], "name": name}}}))
    }

    /// As [`Refusal::param_of`], the name in a list: the form of a negative counter.
    pub fn param_of_list(name: &str, field: &str, message: &str) -> Self {
        bad_request(json!({"errors": {"params": {field: [message], "name": [name]}}}))
    }

    /// What `/v1/measurements` says to an empty list.
    pub fn no_measurement() -> Self {
        bad_request(json!({"errors": ["Payload must include at least 1 measurement"]}))
    }

    /// What `/v1/measurements` says to a body with a shape that it does not know, or that
    /// is no JSON object, and why.
    pub fn not_a_measurement_body(why: Option<&str>) -> Self {
        let mut message = "Unable to process JSON".to_owned();
        if let Some(why) = why {
            message = format!("{message}: {why}");
        }
        bad_request(json!({"code": 400, "message": message}))
    }

    /// A number that the store takes no more.
    pub fn out_of_range(name: &str, field: &str) -> Self {
        let message = format!("is out of range: at most {VALUE_MAX:e}, at least -{VALUE_MAX:e}");
        Refusal::param_of(name, field, message)
    }

    pub fn description_too_large() -> Self {
        let bytes = Description::BYTES_MAX;
        Refusal::param(
            "attributes",
            format!("must be at most {bytes} bytes with description and display_name"),
        )
    }

    pub fn not_found(message: impl Into<String>) -> Self {
        Refusal::request(StatusCode::NOT_FOUND, message)
    }

    /// `time_field`: what this route calls the time of a point.
    pub fn from_store(error: WriteError, time_field: &str) -> Self {
        match error {
            WriteError::TooOld { .. } => Refusal::param(time_field, "is too far in the past"),
            WriteError::TooNew { .. } => Refusal::param(time_field, "is too far in the future"),
            // Clients look for exactly its words, to stop sending the name.
            WriteError::KindClash { .. } => Refusal::param("type", error.to_string()),
            WriteError::SeriesFull { .. } | WriteError::SameSeries(_) => {
                Refusal::request(StatusCode::BAD_REQUEST, error.to_string())
            }
            WriteError::NotANumber { name, .. } => Refusal::out_of_range(&name, "value"),
            WriteError::Unavailable(_) => Refusal::system(error.to_string()),
        }
    }
}

impl From<ChangeError> for Refusal {
    fn from(error: ChangeError) -> Self {
        match error {
            ChangeError::TooOld(_) => Refusal::param("start_time", "is too far in the past"),
            ChangeError::TooNew(_) => Refusal::param("start_time", "is too far in the future"),
            ChangeError::EndsBeforeStart => {
                Refusal::param("end_time", "must not be before start_time")
            }
            // The API's word for what exists already.
            ChangeError::SameLink { rel } => Refusal {
                status: StatusCode::UNPROCESSABLE_ENTITY,
                ..Refusal::param(
                    "rel",
                    format!("'{rel}' is taken: it is unique in an annotation"),
                )
            },
            ChangeError::NoStream { .. }
            | ChangeError::NoAnnotation { .. }
            | ChangeError::NoLink { .. } => Refusal::not_found(error.to_string()),
            ChangeError::TooLarge | ChangeError::Full { .. } | ChangeError::StreamsFull { .. } => {
                Refusal::request(StatusCode::BAD_REQUEST, error.to_string())
            }
            ChangeError::Unavailable(_) => Refusal::system(error.to_string()),
        }
    }
}

impl From<PropertyError> for Refusal {
    fn from(error: PropertyError) -> Self {
        match error {
            PropertyError::NoMetric { .. } => Refusal::not_found(error.to_string()),
            PropertyError::KindClash { .. } => Refusal::param("type", error.to_string()),
            PropertyError::TooLarge { .. } => Refusal::description_too_large(),
            PropertyError::MetricsFull { .. } | PropertyError::SourcesFull => {
                Refusal::request(StatusCode::BAD_REQUEST, error.to_string())
            }
            PropertyError::Unavailable(_) => Refusal::system(error.to_string()),
        }
    }
}

impl From<SpaceError> for Refusal {
    fn from(error: SpaceError) -> Self {
        match error {
            SpaceError::NoSpace { .. } | SpaceError::NoChart { .. } => {
                Refusal::not_found(error.to_string())
            }
            // The API's word for what exists already.
            SpaceError::NameTaken { .. } => Refusal {
                status: StatusCode::UNPROCESSABLE_ENTITY,
                ..Refusal::param("name", error.to_string())
            },
            SpaceError::TooManyStreams => Refusal::param("streams", error.to_string()),
            SpaceError::TooLarge
            | SpaceError::SpacesFull { .. }
            | SpaceError::ChartsFull { .. }
            | SpaceError::SpaceFull { .. } => {
                Refusal::request(StatusCode::BAD_REQUEST, error.to_string())
            }
            SpaceError::Unavailable(_) => Refusal::system(error.to_string()),
        }
    }
}

impl From<ReadError> for Refusal {
    fn from(why: ReadError) -> Self {
        Refusal::system(why.to_string())
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        (self.status, axum::Json(self.body)).into_response()
    }
}

fn bad_request(body: Value) -> Refusal {
    Refusal {
        status: StatusCode::BAD_REQUEST,
        body,
    }
}
