//! Changes to a copy of the shelf: what is allowed, and which rows differ then.

use super::shelf::{Counters, Shelf};
use super::{
    Arranged, BYTES_MAX, CHARTS_OF_SPACE_MAX, Chart, ChartEdit, ChartStream, NewStream, Options,
    STREAMS_MAX, Space, SpaceChange, SpaceError, file,
};
use redb::Database;
use serde_json::{Map, Value};
use std::collections::BTreeSet;
use std::sync::Arc;

/// A shelf to be. Nothing of it is seen until it has been written.
pub struct Draft {
    pub shelf: Shelf,
    /// Ids of rows that differ from the file's.
    spaces: BTreeSet<u64>,
    /// Of a chart's space and its own.
    charts: BTreeSet<(u64, u64)>,
}

impl Draft {
    pub fn of(shelf: &Shelf) -> Draft {
        Draft {
            shelf: shelf.clone(),
            spaces: BTreeSet::new(),
            charts: BTreeSet::new(),
        }
    }

    pub fn is_changed(&self) -> bool {
        !self.spaces.is_empty() || !self.charts.is_empty()
    }

    /// Makes the change, or leaves everything as it was.
    pub fn change(
        &mut self,
        change: &SpaceChange,
        options: &Options,
    ) -> Result<Arranged, SpaceError> {
        match change {
            SpaceChange::Make { name, tags } => {
                let max = options.spaces_max;
                self.free(name, None)?;
                if self.shelf.space_count() >= max {
                    return Err(SpaceError::SpacesFull { max });
                }
                let id = next(&mut self.shelf.counters.space);
                let (name, tags) = (name.clone(), *tags);
                Ok(self.put_space(Space { id, name, tags }))
            }
            SpaceChange::Edit { id, name, tags } => {
                let mut space = Space::clone(self.space(*id)?);
                if let Some(name) = name {
                    self.free(name, Some(*id))?;
                    space.name = name.clone();
                }
                space.tags = tags.or(space.tags);
                Ok(self.put_space(space))
            }
            SpaceChange::Remove { id } => {
                self.space(*id)?;
                let charts: Vec<u64> = self.shelf.charts_of(*id).map(|chart| chart.id).collect();
                for chart in charts {
                    self.remove_chart(*id, chart);
                }
                self.shelf.remove_space(*id);
                self.spaces.insert(*id);
                Ok(Arranged::Gone)
            }
            SpaceChange::AddChart {
                space,
                name,
                attributes,
                streams,
            } => self.add_chart(*space, name, attributes, streams, options.charts_max),
            SpaceChange::EditChart { space, id, edit } => self.edit_chart(*space, *id, edit),
            SpaceChange::RemoveChart { space, id } => {
                self.chart(*space, *id)?;
                self.remove_chart(*space, *id);
                Ok(Arranged::Gone)
            }
        }
    }

    /// Brings the file's rows up to the draft.
    pub fn write(&self, db: &Database) -> Result<(), redb::Error> {
        let spaces = self.spaces.iter();
        let charts = self.charts.iter();
        let write = db.begin_write()?;
        file::write(
            &write,
            self.shelf.counters,
            spaces.map(|id| (*id, self.shelf.space(*id).map(|space| &**space))),
            charts.map(|(space, id)| {
                let chart = self.shelf.chart(*space, *id);
                (*id, chart.map(|chart| &**chart))
            }),
        )?;
        write.commit()?;
        Ok(())
    }

    fn add_chart(
        &mut self,
        space: u64,
        name: &str,
        attributes: &Map<String, Value>,
        streams: &[NewStream],
        max: usize,
    ) -> Result<Arranged, SpaceError> {
        self.space(space)?;
        if self.shelf.chart_count() >= max {
            return Err(SpaceError::ChartsFull { max });
        }
        if self.shelf.charts_of(space).count() >= CHARTS_OF_SPACE_MAX {
            return Err(SpaceError::SpaceFull { space });
        }
        let mut counters = self.shelf.counters;
        let chart = Chart {
            id: next(&mut counters.chart),
            space,
            name: name.into(),
            attributes: said(Map::new(), attributes),
            streams: numbered(streams, &[], &mut counters),
        };
        self.put_chart(chart, counters)
    }

    fn edit_chart(
        &mut self,
        space: u64,
        id: u64,
        edit: &ChartEdit,
    ) -> Result<Arranged, SpaceError> {
        let mut chart = Chart::clone(self.chart(space, id)?);
        let mut counters = self.shelf.counters;
        if let Some(name) = &edit.name {
            chart.name = name.clone();
        }
        chart.attributes = said(chart.attributes, &edit.attributes);
        if let Some(streams) = &edit.streams {
            chart.streams = numbered(streams, &chart.streams, &mut counters);
        }
        self.put_chart(chart, counters)
    }

    /// `counters`: as they are with it.
    fn put_chart(&mut self, chart: Chart, counters: Counters) -> Result<Arranged, SpaceError> {
        if chart.streams.len() > STREAMS_MAX {
            return Err(SpaceError::TooManyStreams);
        }
        let fits = serde_json::to_vec(&chart).is_ok_and(|json| json.len() <= BYTES_MAX);
        if !fits {
            return Err(SpaceError::TooLarge);
        }
        self.shelf.counters = counters;
        self.charts.insert((chart.space, chart.id));
        Ok(Arranged::Chart(self.shelf.put_chart(chart)))
    }

    fn put_space(&mut self, space: Space) -> Arranged {
        self.spaces.insert(space.id);
        Arranged::Space(self.shelf.put_space(space))
    }

    fn remove_chart(&mut self, space: u64, id: u64) {
        self.shelf.remove_chart(space, id);
        self.charts.insert((space, id));
    }

    /// Whether a space may have that name; `whose`: the one that asks.
    fn free(&self, name: &str, whose: Option<u64>) -> Result<(), SpaceError> {
        match self.shelf.space_named(name) {
            Some(other) if Some(other.id) != whose => Err(SpaceError::NameTaken {
                name: name.into(),
                id: other.id,
            }),
            _ => Ok(()),
        }
    }

    fn space(&self, id: u64) -> Result<&Arc<Space>, SpaceError> {
        self.shelf.space(id).ok_or(SpaceError::NoSpace { id })
    }

    fn chart(&self, space: u64, id: u64) -> Result<&Arc<Chart>, SpaceError> {
        self.space(space)?;
        let chart = self.shelf.chart(space, id);
        chart.ok_or(SpaceError::NoChart { space, id })
    }
}

fn next(counter: &mut u64) -> u64 {
    let id = *counter;
    *counter += 1;
    id
}

/// Attributes with others put in their places; `null` takes one away.
fn said(mut attributes: Map<String, Value>, edit: &Map<String, Value>) -> Map<String, Value> {
    for (name, value) in edit {
        match value {
            Value::Null => attributes.remove(name),
            value => attributes.insert(name.clone(), value.clone()),
        };
    }
    attributes
}

/// Each with its id: that of a stream `before` if it names one, and is the first to.
fn numbered(
    streams: &[NewStream],
    before: &[ChartStream],
    counters: &mut Counters,
) -> Vec<ChartStream> {
    let mut known: BTreeSet<u64> = before.iter().map(|stream| stream.id).collect();
    let streams = streams.iter().map(|stream| ChartStream {
        id: match stream.id.filter(|id| known.remove(id)) {
            Some(id) => id,
            None => next(&mut counters.stream),
        },
        attributes: stream.attributes.clone(),
    });
    streams.collect()
}
