//! Values as CSV (RFC 4180): `time,series,<tag>...,value`, one column for each tag that any
//! series has.

use crate::replay::Outcome;
use std::borrow::Cow;
use std::collections::BTreeSet;
use std::io::{self, Write};

pub fn csv(outcome: &Outcome, to: &mut impl Write) -> io::Result<()> {
    let tags = outcome.series.iter().flat_map(|(series, _)| &*series.tags);
    let names: BTreeSet<&str> = tags.map(|(name, _)| &**name).collect();
    write!(to, "time,series")?;
    for name in &names {
        // Columns are told apart by their heads.
        let prefix = match *name {
            "time" | "series" | "value" => "tag.",
            _ => "",
        };
        write!(to, ",{}", quoted(&format!("{prefix}{name}")))?;
    }
    write!(to, ",value\r\n")?;
    for (series, points) in &outcome.series {
        let mut middle = quoted(&series.name).into_owned();
        for name in &names {
            let tag = series.tags.iter().find(|(tag, _)| **tag == **name);
            middle.push(',');
            middle.push_str(&tag.map_or(Cow::Borrowed(""), |(_, value)| quoted(value)));
        }
        for point in points {
            write!(to, "{},{middle},{}\r\n", point.time, point.value)?;
        }
    }
    Ok(())
}

fn quoted(field: &str) -> Cow<'_, str> {
    match field.contains([',', '"', '\r', '\n']) {
        true => format!("\"{}\"", field.replace('"', "\"\"")).into(),
        false => field.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metric::Series;
    use crate::replay::Point;

    #[test]
    fn each_value_is_a_line_with_a_column_for_every_tag() {
        let series = |name: &str, tags: &[(&str, &str)], value| {
            let tags = tags
                .iter()
                .map(|&(name, value)| (name.into(), value.into()));
            let (name, tags) = (name.into(), tags.collect());
            (Series { name, tags }, vec![Point { time: 10, value }])
        };
        let outcome = Outcome {
            series: vec![
                series("a.rate", &[("service", "x, \"y\"")], 0.5),
                series("b.rate", &[("service", "x"), ("value", "1")], 2.0),
                series("c.rate", &[], -0.001),
            ],
            ..Outcome::default()
        };
        let mut written = Vec::new();
        csv(&outcome, &mut written).unwrap();
        assert_eq!(
            String::from_utf8(written).unwrap().replace("\r\n", "\n"),
            "time,series,service,tag.value,value\n\
             10,a.rate,\"x, \"\"y\"\"\",,0.5\n\
             10,b.rate,x,1,2\n\
             10,c.rate,,,-0.001\n"
        );
    }
}
