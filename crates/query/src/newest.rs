//! The newest event of a series: from what is known of its versions, or by
//! asking its rows.
//!
//! Always true: what is said without a query is exact, or no row is later than
//! it; a computed series is never computed to say it.

use std::sync::Arc;

use datafusion::common::{Column, ScalarValue};
use datafusion::functions_aggregate::expr_fn::max;
use datafusion::logical_expr::Expr;
use futures::future::BoxFuture;
use tinyfs::{EntryType, Node, NodePath, SeriesSpec, Store, TimeUnit};

use crate::bounds::declared_bounds;
use crate::catalog::Opened;
use crate::time::{Rounding, instant_us};
use crate::{Error, Lineage, Locality, Result, Session, TimeBounds};

/// When the newest event of something was, in microseconds since 1970 UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NewestEvent {
    /// Then; `None`: there is no event.
    At(Option<i64>),
    /// Then or earlier: whatever is computed may leave rows out.
    AtMost(i64),
    /// Only a query tells.
    Unknown,
}

/// The newest event of a node, as far as it is known, and where to ask.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Newest {
    /// When it was.
    pub event: NewestEvent,
    /// The path of the series whose rows tell exactly. That of a reduction is
    /// what it reduces: its own rows bear the times at which buckets begin.
    /// Where a node on the way there declares bounds of its own it is that
    /// node, because what it is made of knows nothing of them.
    pub ask: String,
}

impl Session {
    /// The newest event of a series, without a query. Of a computed table, that
    /// of what it is computed from.
    ///
    /// # Errors
    /// As [`Session::table`].
    pub async fn newest_event(&self, found: &NodePath) -> Result<Newest> {
        let store = self.catalog.fs.store();
        if !found.node.entry_type.is_dynamic() {
            let event = stored(store.as_ref(), &found.node).await?;
            return Ok(Newest { event, ask: found.path.clone() });
        }
        let table = self.inputs().table(&found.path).await?;
        let mut ask = found.path.clone();
        let mut bounds = declared_bounds(&found.node.attributes)?;
        let mut lineage = Arc::clone(&table.lineage);
        // What is shifted in time is judged by what it is made of.
        while bounds == TimeBounds::ALL
            && let Lineage::Computed { locality: Locality::Within { .. }, inputs, .. } =
                lineage.as_ref()
            && let [input] = inputs.as_slice()
        {
            if let Lineage::Stored { path, .. } | Lineage::Computed { path, .. } = input.as_ref()
                && path.starts_with('/')
            {
                let node = self.catalog.fs.resolve(path).await?.node;
                bounds = declared_bounds(&node.attributes)?;
                ask.clone_from(path);
            }
            lineage = Arc::clone(input);
        }
        let event = of_lineage(store.as_ref(), &lineage).await?;
        Ok(Newest { event: not_after(event, bounds.end_us), ask })
    }

    /// The newest event of the series at `path` that this session sees, asked
    /// of its rows.
    ///
    /// # Errors
    /// As [`Session::sql`].
    pub async fn newest_event_asked(&self, path: &str) -> Result<Option<i64>> {
        let opened = self.opened(path).await?;
        let (time_column, time_unit) = match &opened {
            Opened::Stored(table) => table.time(),
            Opened::Computed(table) => (table.time_column.clone(), table.time_unit),
        };
        let Some(name) = time_column else {
            let found = self.catalog.fs.resolve(path).await?;
            return Err(Error::NotATable { path: found.path, actual: found.node.entry_type });
        };
        let newest = max(Expr::Column(Column::new_unqualified(name.as_ref())));
        let newest = self
            .context()
            .read_table(opened.provider())?
            .aggregate(Vec::new(), vec![newest])?
            .collect()
            .await
            .map_err(|error| self.complete(error.into()))?;
        let Some(newest) = newest.iter().find(|batch| batch.num_rows() == 1) else {
            return Ok(None);
        };
        let newest = ScalarValue::try_from_array(newest.column(0), 0)?;
        let unit = time_unit.unwrap_or(TimeUnit::Microsecond);
        Ok(instant_us(&newest, unit, Rounding::Up))
    }
}

/// The newest event of a stored node: of a series, as its versions say.
async fn stored(store: &dyn Store, node: &Node) -> Result<NewestEvent> {
    if node.entry_type != EntryType::Series {
        return Ok(NewestEvent::Unknown);
    }
    let Some(spec) = SeriesSpec::read_from(&node.attributes)? else {
        return Ok(NewestEvent::Unknown);
    };
    let (start_us, end_us) = spec.visible_us();
    let runs = store.runs(node.id).await?;
    let ranges = runs.iter().filter_map(|run| run.time_range).filter(|range| {
        start_us.is_none_or(|start| start <= range.max_us)
            && end_us.is_none_or(|end| range.min_us <= end)
    });
    let newest = ranges.map(|range| range.max_us).max();
    Ok(not_after(NewestEvent::At(newest), end_us))
}

fn of_lineage<'a>(
    store: &'a dyn Store,
    lineage: &'a Lineage,
) -> BoxFuture<'a, Result<NewestEvent>> {
    Box::pin(async move {
        let (inputs, later_us) = match lineage {
            Lineage::Stored { node, .. } => return stored(store, &store.node(*node).await?).await,
            Lineage::Union { members, .. } => (members, 0),
            Lineage::Computed { locality: Locality::Everything, .. } => {
                return Ok(NewestEvent::Unknown);
            }
            Lineage::Computed { inputs, locality: Locality::Same, .. } => (inputs, 0),
            Lineage::Computed { inputs, locality: Locality::Within { after_us, .. }, .. } => {
                (inputs, *after_us)
            }
        };
        if inputs.is_empty() {
            return Ok(NewestEvent::Unknown);
        }
        let mut newest = None;
        for input in inputs {
            match of_lineage(store, input).await? {
                NewestEvent::At(us) => newest = newest.max(us),
                NewestEvent::AtMost(us) => newest = newest.max(Some(us)),
                NewestEvent::Unknown => return Ok(NewestEvent::Unknown),
            }
        }
        Ok(match newest {
            // Without a row to begin with there is none.
            None => NewestEvent::At(None),
            Some(us) => NewestEvent::AtMost(us.saturating_add(later_us)),
        })
    })
}

/// The newest event that is not after `end_us`: where the one known is, others
/// may be before it.
fn not_after(event: NewestEvent, end_us: Option<i64>) -> NewestEvent {
    match (event, end_us) {
        (NewestEvent::At(Some(us)) | NewestEvent::AtMost(us), Some(end)) if end < us => {
            NewestEvent::AtMost(end)
        }
        (event, _) => event,
    }
}
