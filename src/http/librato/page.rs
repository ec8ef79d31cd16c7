//! Lists that come in pages: Librato's API reference, "Pagination".

use super::query::{Query, get, int};
use super::reply::Refusal;
use serde_json::{Value, json};

/// Items of one page; the default too. A request for more gets as many.
pub const LENGTH_MAX: usize = 100;

/// Which part of a list is wanted.
#[derive(Debug, PartialEq)]
pub struct Page {
    offset: usize,
    length: usize,
    descending: bool,
}

impl Page {
    /// `orderby`: the one attribute that this list is ordered by.
    pub fn parse(query: &Query, orderby: &str) -> Result<Page, Refusal> {
        let number = |name: &str, default: usize| match int(query, name)? {
            None => Ok(default),
            Some(number) => {
                usize::try_from(number).map_err(|_| Refusal::param(name, "must not be negative"))
            }
        };
        if get(query, "orderby").is_some_and(|given| given != orderby) {
            return Err(Refusal::param("orderby", format!("must be {orderby}")));
        }
        Ok(Page {
            offset: number("offset", 0)?,
            length: number("length", LENGTH_MAX)?.min(LENGTH_MAX),
            descending: match get(query, "sort") {
                None | Some("asc") => false,
                Some("desc") => true,
                Some(_) => return Err(Refusal::param("sort", "must be asc or desc")),
            },
        })
    }

    /// The page of `found`, which is in ascending order, under `name`, each as `show` puts
    /// it, and where it is in the whole. `total`: how many there are of which these were
    /// found.
    pub fn of<T>(
        &self,
        name: &str,
        mut found: Vec<T>,
        total: usize,
        show: impl Fn(T) -> Value,
    ) -> Value {
        if self.descending {
            found.reverse();
        }
        let all = found.len();
        let page = found.into_iter().skip(self.offset).take(self.length);
        let page: Vec<Value> = page.map(show).collect();
        let query = json!({
            "found": all, "length": page.len(), "offset": self.offset, "total": total,
        });
        json!({"query": query, name: page})
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(query: &[(&str, &str)]) -> Result<Page, Refusal> {
        let pair = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        Page::parse(&query.iter().map(pair).collect::<Vec<_>>(), "name")
    }

    #[test]
    fn a_page_says_where_it_is_in_the_whole() {
        for (query, found, length, offset) in [
            (&[] as &[_], vec![1, 2, 3, 4, 5], 5, 0),
            (&[("offset", "3")], vec![4, 5], 2, 3),
            (&[("length", "2"), ("orderby", "name")], vec![1, 2], 2, 0),
            (
                &[("offset", "1"), ("length", "2"), ("sort", "desc")],
                vec![4, 3],
                2,
                1,
            ),
            (&[("offset", "9")], vec![], 0, 9),
            (&[("length", "0")], vec![], 0, 0),
        ] {
            let all = (1..=5).collect();
            let answer = page(query).unwrap().of("items", all, 7, Value::from);
            assert_eq!(answer["items"], json!(found), "{query:?}");
            let whole = json!({"found": 5, "length": length, "offset": offset, "total": 7});
            assert_eq!(answer["query"], whole, "{query:?}");
        }
        let many = (0..500).collect();
        let page = page(&[("length", "400")]).unwrap();
        let answer = page.of("items", many, 500, Value::from);
        assert_eq!(answer["query"]["length"], LENGTH_MAX);
    }

    #[test]
    fn what_is_no_page_is_refused_by_its_parameter() {
        for (name, value) in [
            ("offset", "-1"),
            ("length", "x"),
            ("orderby", "display_name"),
            ("sort", "up"),
        ] {
            let refusal = page(&[(name, value)]).unwrap_err();
            assert!(refusal.body["errors"]["params"][name].is_array(), "{name}");
        }
    }
}
