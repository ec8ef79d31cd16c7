//! Where panels are: from left to right, and on in the next line when one is full.

use super::panel::Panel;
use serde_json::{Value, json};

/// Columns of Grafana's grid.
const COLUMNS: u32 = 24;

/// The panels so far.
#[derive(Default)]
pub struct Grid {
    panels: Vec<Value>,
    /// The number of the last panel.
    id: u32,
    /// Where the next line begins.
    y: u32,
}

impl Grid {
    /// Panels outside of any row.
    pub fn open(&mut self, panels: Vec<Panel>) {
        let placed = self.place(panels);
        self.panels.extend(placed);
    }

    /// An open row and its panels.
    pub fn row(&mut self, title: String, panels: Vec<Panel>) {
        let row = self.header(title, false);
        self.panels.push(row);
        self.open(panels);
    }

    /// A row that shows its panels when it is opened.
    pub fn collapsed_row(&mut self, title: String, panels: Vec<Panel>) {
        let mut row = self.header(title, true);
        let below = self.y;
        row["panels"] = self.place(panels).into();
        // They take no room while it is closed.
        self.y = below;
        self.panels.push(row);
    }

    pub fn into_panels(self) -> Vec<Value> {
        self.panels
    }

    fn header(&mut self, title: String, collapsed: bool) -> Value {
        self.id += 1;
        let row = json!({
            "id": self.id,
            "type": "row",
            "title": title,
            "collapsed": collapsed,
            "gridPos": {"x": 0, "y": self.y, "w": COLUMNS, "h": 1},
            "panels": [],
        });
        self.y += 1;
        row
    }

    fn place(&mut self, panels: Vec<Panel>) -> Vec<Value> {
        let (mut x, mut height) = (0, 0);
        let mut placed = Vec::with_capacity(panels.len());
        for panel in panels {
            if x + panel.width > COLUMNS {
                self.y += height;
                (x, height) = (0, 0);
            }
            self.id += 1;
            let at = json!({"x": x, "y": self.y, "w": panel.width, "h": panel.height});
            x += panel.width;
            height = height.max(panel.height);
            placed.push(panel.into_json(self.id, at));
        }
        self.y += height;
        placed
    }
}
