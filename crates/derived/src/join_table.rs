//! Series side by side: the table of a join, and of a pivot.
//!
//! Always true: there is one row an instant that any member has within its
//! range; a filter on the time alone is handed to every member, so that each
//! reads what it has to; a member of which no column is asked for still gives
//! its instants, unless what is asked for can not be in rows of its alone.
//!
//! A member that is a table is planned by hand: its scan, what the scan leaves
//! of the filters, its columns under their names. Whoever plans the whole goes
//! over all of it once, which for a pivot over joins of many series is several
//! times less than to plan each of them as a query. A member that is a view is
//! planned as a query, because only so do filters go into it.

use std::collections::{BTreeSet, HashMap};
use std::ops::Range;
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, FieldRef, Schema, SchemaRef, TimeUnit};
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::{Column, DFSchema};
use datafusion::datasource::provider_as_source;
use datafusion::error::Result as DfResult;
use datafusion::logical_expr::{
    Expr, LogicalPlan, LogicalPlanBuilder, Operator, TableProviderFilterPushDown, TableType, cast,
    lit,
};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::empty::EmptyExec;
use datafusion::physical_plan::filter::FilterExec;
use datafusion::physical_plan::projection::{ProjectionExec, ProjectionExpr};
use query::{ComputedTable, UNIT_KEY};

use crate::instant_merge::{InstantMergeExec, Origin, Output};
use crate::quality::FLAG;
use crate::time_filter::times_of;
use crate::times::{instant_type, is_time, limit, within};
use crate::{Error, Result};

/// The most series of one join.
const MAX_MEMBERS: usize = 256;

/// The zone of every instant.
const UTC: &str = "UTC";

/// A series of a join.
#[derive(Clone, Debug)]
pub(crate) struct Member {
    /// What errors call it: its path.
    pub(crate) name: String,
    /// What its columns' names begin with.
    pub(crate) scope: String,
    pub(crate) table: ComputedTable,
    pub(crate) time_column: String,
    /// The columns that it gives, in their order.
    pub(crate) columns: Vec<String>,
    /// The first and the last instant that it gives, in microseconds.
    pub(crate) start_us: Option<i64>,
    pub(crate) end_us: Option<i64>,
    /// Whether only rows count in which one of the columns has a value.
    pub(crate) only_values: bool,
}

/// Series side by side.
#[derive(Debug)]
pub(crate) struct JoinTable {
    members: Vec<Member>,
    schema: SchemaRef,
    /// Of each column but the first, the members that give it, with their names
    /// for it.
    origins: Vec<Vec<(usize, String)>>,
}

/// A column on its way to be one.
struct Wanted {
    data_type: DataType,
    unit: Option<String>,
    scope: String,
    column: String,
    metadata: HashMap<String, String>,
    origins: Vec<(usize, String)>,
    /// Who decided the type and the unit.
    decided_by: String,
    /// Of flags: the name of what they are of.
    flags_of: Option<String>,
}

impl JoinTable {
    /// The table of `members`, whose time is called `time`.
    ///
    /// # Errors
    /// What does not go together, by name.
    pub(crate) fn new(members: Vec<Member>, time: &str) -> Result<Self> {
        if members.len() > MAX_MEMBERS {
            let text = format!("{} series", members.len());
            let what = format!("a join has at most {MAX_MEMBERS}");
            return Err(Error::Input { text, what });
        }
        let mut unit = TimeUnit::Second;
        for member in &members {
            unit = finer(unit, time_unit(member)?);
        }
        let wanted = columns(&members)?;
        let time_type = DataType::Timestamp(unit, Some(UTC.into()));
        let mut fields: Vec<FieldRef> = vec![Arc::new(Field::new(time, time_type, false))];
        let mut taken: HashMap<String, String> =
            HashMap::from([(time.to_owned(), "the time".into())]);
        let mut origins = Vec::with_capacity(wanted.len());
        for column in wanted {
            let name = column.name();
            let from = format!("`{}` of {}", column.column, column.scope);
            if let Some(first) = taken.insert(name.clone(), from.clone()) {
                return Err(Error::NameTwice { name, first, second: from });
            }
            let mut metadata = column.metadata;
            metadata.insert("instrument".to_owned(), column.scope);
            metadata.insert("parameter".to_owned(), column.column);
            if let Some(unit) = column.unit {
                metadata.insert(UNIT_KEY.to_owned(), unit);
            }
            let field = Field::new(name, column.data_type, true).with_metadata(metadata);
            fields.push(Arc::new(field));
            origins.push(column.origins);
        }
        Ok(Self { members, schema: Arc::new(Schema::new(fields)), origins })
    }

    fn time(&self) -> &Field {
        self.schema.field(0)
    }

    /// Whether a filter is about the time and nothing else.
    fn is_about_time(&self, filter: &Expr) -> bool {
        let columns = filter.column_refs();
        !columns.is_empty()
            && columns.iter().all(|column| column.name == *self.time().name())
            && !filter.is_volatile()
    }

    /// The rows of a member: its time, then the columns asked for, each as the
    /// output has it; sorted.
    fn plan(
        &self,
        member: &Member,
        columns: &[(String, FieldRef)],
        filters: &[&Expr],
    ) -> DfResult<LogicalPlan> {
        let schema = member.table.provider.schema();
        let source = provider_as_source(Arc::clone(&member.table.provider));
        let mut plan = LogicalPlanBuilder::scan("input", source, None)?;
        if let Some(condition) = member.conditions(&schema)?.into_iter().reduce(Expr::and) {
            plan = plan.filter(condition)?;
        }
        plan = plan.project(self.exprs(member, &schema, columns)?)?;
        if let Some(filter) = filters.iter().map(|filter| (*filter).clone()).reduce(Expr::and) {
            plan = plan.filter(filter)?;
        }
        plan.sort([column(self.time().name()).sort(true, true)])?.build()
    }

    /// The member's time, then the columns asked for, each under the name and
    /// of the type that the output has.
    fn exprs(
        &self,
        member: &Member,
        schema: &Schema,
        columns: &[(String, FieldRef)],
    ) -> DfResult<Vec<Expr>> {
        let field = schema.field_with_name(&member.time_column)?;
        let time_type = self.time().data_type();
        let own_time = column(&member.time_column);
        let time = match instant_type(field.data_type(), member.table.time_unit) {
            Some(between) if field.data_type().is_integer() => cast(own_time, between),
            _ => own_time,
        };
        let same = field.data_type() == time_type;
        let time = if same { time } else { cast(time, time_type.clone()) };
        let mut exprs = vec![time.alias(self.time().name())];
        for (name, field) in columns {
            let own = schema.field_with_name(name)?;
            let value = column(name);
            let same = own.data_type() == field.data_type();
            let value = if same { value } else { cast(value, field.data_type().clone()) };
            exprs.push(value.alias(field.name()));
        }
        Ok(exprs)
    }

    /// The same as [`Self::plan`] for a member that is a table, but not sorted:
    /// at least its rows of the `times`.
    async fn scan_member(
        &self,
        state: &dyn Session,
        member: &Member,
        columns: &[(String, FieldRef)],
        times: &Range<i64>,
    ) -> DfResult<Arc<dyn ExecutionPlan>> {
        let provider = &member.table.provider;
        let schema = provider.schema();
        let field = schema.field_with_name(&member.time_column)?;
        let time = column(&member.time_column);
        let mut conditions = member.conditions(&schema)?;
        conditions.extend(within(&time, field.data_type(), member.table.time_unit, times));
        let exprs = self.exprs(member, &schema, columns)?;
        let mut wanted = BTreeSet::new();
        for expr in exprs.iter().chain(&conditions) {
            for column in expr.column_refs() {
                wanted.insert(schema.index_of(&column.name)?);
            }
        }
        let projection = wanted.into_iter().collect();
        let refs: Vec<&Expr> = conditions.iter().collect();
        let pushed = provider.supports_filters_pushdown(&refs)?;
        let into = |wanted: fn(&TableProviderFilterPushDown) -> bool| {
            let both = conditions.iter().zip(&pushed);
            both.filter(move |(_, pushed)| wanted(pushed)).map(|(condition, _)| condition.clone())
        };
        let inside: Vec<Expr> =
            into(|pushed| *pushed != TableProviderFilterPushDown::Unsupported).collect();
        let above = into(|pushed| *pushed != TableProviderFilterPushDown::Exact);
        let mut plan = provider.scan(state, Some(&projection), &inside, None).await?;
        let scanned = DFSchema::try_from(plan.schema())?;
        if let Some(condition) = above.reduce(Expr::and) {
            let condition = state.create_physical_expr(condition, &scanned)?;
            plan = Arc::new(FilterExec::try_new(condition, plan)?);
        }
        let exprs = exprs.into_iter().map(|expr| {
            let alias = expr.schema_name().to_string();
            Ok(ProjectionExpr {
                expr: state.create_physical_expr(expr.unalias(), &scanned)?,
                alias,
            })
        });
        let exprs = exprs.collect::<DfResult<Vec<_>>>()?;
        Ok(Arc::new(ProjectionExec::try_new(exprs, plan)?))
    }

    /// The times of which rows pass the filters on the time: at least those.
    pub(crate) fn span(&self, filters: &[Expr]) -> Option<Range<i64>> {
        let of_time: Vec<&Expr> =
            filters.iter().filter(|filter| self.is_about_time(filter)).collect();
        self.times(&of_time)
    }

    /// The times that filters on the time leave; `None` where one of them says
    /// more than that.
    fn times(&self, filters: &[&Expr]) -> Option<Range<i64>> {
        let all = Some(i64::MIN..i64::MAX);
        filters.iter().fold(all, |times, filter| {
            let (times, more) = (times?, times_of(filter, self.time().name())?);
            Some(times.start.max(more.start)..times.end.min(more.end))
        })
    }
}

impl Member {
    /// The conditions on its rows: within the range, and with a value where only
    /// these count.
    fn conditions(&self, schema: &Schema) -> DfResult<Vec<Expr>> {
        let field = schema.field_with_name(&self.time_column)?;
        let unit = self.table.time_unit;
        let start = limit(field, unit, self.start_us, Operator::GtEq);
        let end = limit(field, unit, self.end_us, Operator::LtEq);
        let values = self.only_values.then(|| {
            let any = self.columns.iter().map(|name| column(name).is_not_null());
            any.reduce(Expr::or).unwrap_or_else(|| lit(false))
        });
        Ok(start.into_iter().chain(end).chain(values).collect())
    }
}

impl Wanted {
    /// `scope.column.unit`, the unit where it is known and not there already;
    /// flags stay beside what they are of.
    fn name(&self) -> String {
        if let Some(of) = &self.flags_of {
            return format!("{of}{FLAG}");
        }
        let Self { scope, column, .. } = self;
        match &self.unit {
            Some(unit) if !column.ends_with(&format!(".{unit}")) => {
                format!("{scope}.{column}.{unit}")
            }
            _ => format!("{scope}.{column}"),
        }
    }
}

/// The columns of all: by scopes in the order in which they come, in each by
/// columns in the order in which they come.
fn columns(members: &[Member]) -> Result<Vec<Wanted>> {
    let mut scopes: Vec<&str> = Vec::new();
    for member in members {
        if !scopes.contains(&member.scope.as_str()) {
            scopes.push(&member.scope);
        }
    }
    let mut all: Vec<Wanted> = Vec::new();
    for scope in scopes {
        let begin = all.len();
        let mut by_name: HashMap<&str, usize> = HashMap::new();
        for (at, member) in members.iter().enumerate().filter(|(_, one)| one.scope == scope) {
            let schema = member.table.provider.schema();
            for name in &member.columns {
                let field = schema
                    .field_with_name(name)
                    .map_err(datafusion::error::DataFusionError::from)?;
                match by_name.get(name.as_str()) {
                    Some(&known) => widen(&mut all[begin + known], at, member, field)?,
                    None => {
                        by_name.insert(name, all.len() - begin);
                        all.push(Wanted {
                            data_type: query::plain_type(field.data_type()),
                            unit: field.metadata().get(UNIT_KEY).cloned(),
                            scope: scope.to_owned(),
                            column: name.clone(),
                            metadata: field.metadata().clone(),
                            origins: vec![(at, name.clone())],
                            decided_by: member.name.clone(),
                            flags_of: None,
                        });
                    }
                }
            }
        }
        let names: HashMap<String, String> =
            all[begin..].iter().map(|one| (one.column.clone(), one.name())).collect();
        for one in &mut all[begin..] {
            let of = one.column.strip_suffix(FLAG);
            one.flags_of = of.and_then(|of| names.get(of)).cloned();
        }
    }
    Ok(all)
}

/// Lets one more member give a column.
fn widen(wanted: &mut Wanted, at: usize, member: &Member, field: &Field) -> Result<()> {
    let unit = field.metadata().get(UNIT_KEY);
    let says = |unit: Option<&String>| unit.cloned().unwrap_or_else(|| "no unit".to_owned());
    if unit != wanted.unit.as_ref() {
        return Err(Error::UnitConflict {
            column: wanted.column.clone(),
            left: (wanted.decided_by.clone(), says(wanted.unit.as_ref())),
            right: (member.name.clone(), says(unit)),
        });
    }
    let Some(wide) = query::common_type(&wanted.data_type, field.data_type()) else {
        return Err(Error::TypeConflict {
            column: wanted.column.clone(),
            left: (wanted.decided_by.clone(), wanted.data_type.to_string()),
            right: (member.name.clone(), field.data_type().to_string()),
        });
    };
    if wide != wanted.data_type {
        wanted.data_type = wide;
        wanted.decided_by.clone_from(&member.name);
    }
    wanted.metadata.retain(|key, value| field.metadata().get(key) == Some(value));
    wanted.origins.push((at, wanted.column.clone()));
    Ok(())
}

fn column(name: &str) -> Expr {
    Expr::Column(Column::new_unqualified(name))
}

fn time_unit(member: &Member) -> Result<TimeUnit> {
    let schema = member.table.provider.schema();
    let field = schema
        .field_with_name(&member.time_column)
        .map_err(|_| crate::column_glob::no_column(&member.time_column, names(&schema)))?;
    match instant_type(field.data_type(), member.table.time_unit) {
        Some(DataType::Timestamp(unit, _)) => Ok(unit),
        _ => Err(Error::NotTime {
            column: member.time_column.clone(),
            actual: field.data_type().to_string(),
        }),
    }
}

fn names(schema: &Schema) -> impl Iterator<Item = &str> {
    schema.fields().iter().map(|field| field.name().as_str())
}

fn finer(a: TimeUnit, b: TimeUnit) -> TimeUnit {
    let rank = |unit: &TimeUnit| match unit {
        TimeUnit::Second => 0,
        TimeUnit::Millisecond => 1,
        TimeUnit::Microsecond => 2,
        TimeUnit::Nanosecond => 3,
    };
    if rank(&a) >= rank(&b) { a } else { b }
}

/// The column of times of an input: what was said, or what it declares.
///
/// # Errors
/// [`Error::TimeColumn`] names those that could be it.
pub(crate) fn time_column(said: Option<&str>, table: &ComputedTable) -> Result<String> {
    if let Some(said) = said {
        return Ok(said.to_owned());
    }
    if let Some(declared) = table.time_column.as_deref() {
        return Ok(declared.to_owned());
    }
    let schema = table.provider.schema();
    let times = schema.fields().iter().filter(|field| is_time(field.data_type()));
    Err(Error::TimeColumn { candidates: times.map(|field| field.name().clone()).collect() })
}

/// Whether a row in which every column but the time is null fails the filter.
fn rejects_nulls(filter: &Expr, time: &str) -> bool {
    let is_value = |expr: &Expr| matches!(expr, Expr::Column(column) if column.name != time);
    match filter {
        Expr::IsNotNull(inner) => is_value(inner),
        Expr::BinaryExpr(both) => match both.op {
            Operator::And => rejects_nulls(&both.left, time) || rejects_nulls(&both.right, time),
            Operator::Or => rejects_nulls(&both.left, time) && rejects_nulls(&both.right, time),
            Operator::Eq
            | Operator::NotEq
            | Operator::Lt
            | Operator::LtEq
            | Operator::Gt
            | Operator::GtEq => {
                let is_literal = |expr: &Expr| matches!(expr, Expr::Literal(..));
                is_value(&both.left) && is_literal(&both.right)
                    || is_literal(&both.left) && is_value(&both.right)
            }
            _ => false,
        },
        _ => false,
    }
}

#[async_trait]
impl TableProvider for JoinTable {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn table_type(&self) -> TableType {
        TableType::View
    }

    fn supports_filters_pushdown(
        &self,
        filters: &[&Expr],
    ) -> DfResult<Vec<TableProviderFilterPushDown>> {
        let push = |filter: &&Expr| match self.is_about_time(filter) {
            // Members that are tables are only told the span of times.
            true if self.times(&[*filter]).is_none() => TableProviderFilterPushDown::Exact,
            // It stays where it is; it may tell which members matter.
            _ => TableProviderFilterPushDown::Inexact,
        };
        Ok(filters.iter().map(push).collect())
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        _limit: Option<usize>,
    ) -> DfResult<Arc<dyn ExecutionPlan>> {
        let projection: Vec<usize> = match projection {
            Some(projection) => projection.clone(),
            None => (0..self.schema.fields().len()).collect(),
        };
        let schema = Arc::new(self.schema.project(&projection)?);
        let (of_time, others): (Vec<&Expr>, Vec<&Expr>) =
            filters.iter().partition(|filter| self.is_about_time(filter));
        let only_values = others.iter().any(|one| rejects_nulls(one, self.time().name()));
        let times = self.times(&of_time);

        // What each member gives of what is asked for.
        let mut given: Vec<Vec<(String, FieldRef)>> = vec![Vec::new(); self.members.len()];
        let mut wanted: Vec<Vec<(usize, usize)>> = Vec::with_capacity(projection.len());
        for &at in &projection {
            let origins = at.checked_sub(1).map_or(&[][..], |at| &self.origins[at][..]);
            let field = Arc::clone(&self.schema.fields()[at]);
            let of_members = origins.iter().map(|(member, name)| {
                given[*member].push((name.clone(), Arc::clone(&field)));
                // The time is before them.
                (*member, given[*member].len())
            });
            wanted.push(of_members.collect());
        }
        let mut inputs = Vec::new();
        let mut names = Vec::new();
        let mut input_of: Vec<Option<usize>> = vec![None; self.members.len()];
        for (at, (member, columns)) in self.members.iter().zip(&given).enumerate() {
            if columns.is_empty() && only_values {
                continue;
            }
            input_of[at] = Some(inputs.len());
            let is_view = member.table.provider.get_logical_plan().is_some();
            inputs.push(match &times {
                Some(times) if !is_view => self.scan_member(state, member, columns, times).await?,
                _ => state.create_physical_plan(&self.plan(member, columns, &of_time)?).await?,
            });
            names.push(member.name.clone());
        }
        if inputs.is_empty() {
            return Ok(Arc::new(EmptyExec::new(schema)));
        }
        let outputs = projection.iter().zip(wanted).map(|(&at, origins)| match at {
            0 => Output::Time,
            _ => Output::Value(
                origins
                    .into_iter()
                    .filter_map(|(member, column)| {
                        Some(Origin { input: input_of[member]?, column })
                    })
                    .collect(),
            ),
        });
        let outputs: Arc<[Output]> = outputs.collect();
        Ok(Arc::new(InstantMergeExec::new(inputs, names.into(), outputs, schema)))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use arrow::array::{
        Array as _, ArrayRef, AsArray, Float64Array, RecordBatch, TimestampMicrosecondArray,
    };
    use arrow::datatypes::{Float64Type, TimestampMicrosecondType};
    use datafusion::datasource::MemTable;
    use datafusion::prelude::{SessionConfig, SessionContext};
    use proptest::prelude::*;
    use query::{Lineage, Locality};
    use tinyfs::ContentHash;

    use super::*;

    /// Rows of one series: any times in any order, values that may be missing.
    type Rows = Vec<(i64, Option<f64>)>;
    /// A row of the answer: the time, then one value a column.
    type Row = (i64, Vec<Option<f64>>);

    fn table(rows: &Rows) -> ComputedTable {
        let schema = Arc::new(Schema::new(vec![
            Field::new("t", DataType::Timestamp(TimeUnit::Microsecond, Some(UTC.into())), false),
            Field::new("v", DataType::Float64, true),
        ]));
        let times: TimestampMicrosecondArray = rows.iter().map(|row| Some(row.0)).collect();
        let values: Float64Array = rows.iter().map(|row| row.1).collect();
        let columns: Vec<ArrayRef> = vec![Arc::new(times.with_timezone(UTC)), Arc::new(values)];
        let batch = RecordBatch::try_new(Arc::clone(&schema), columns).unwrap();
        let (definition, locality) = (ContentHash::of(b""), Locality::Same);
        let lineage =
            Lineage::Computed { path: "test".to_owned(), definition, locality, inputs: Vec::new() };
        ComputedTable {
            provider: Arc::new(MemTable::try_new(schema, vec![vec![batch]]).unwrap()),
            time_column: Some("t".into()),
            time_unit: None,
            lineage: Arc::new(lineage),
            notes: Vec::new(),
        }
    }

    fn join(inputs: &[(usize, Rows)]) -> JoinTable {
        let members = inputs.iter().map(|(scope, rows)| Member {
            name: format!("/{scope}"),
            scope: format!("s{scope}"),
            table: table(rows),
            time_column: "t".to_owned(),
            columns: vec!["v".to_owned()],
            start_us: None,
            end_us: None,
            only_values: false,
        });
        JoinTable::new(members.collect(), "time").unwrap()
    }

    /// What a join is: of each instant and scope the value of the last input
    /// that has one, the greatest of its values there.
    fn model(inputs: &[(usize, Rows)]) -> Vec<Row> {
        let mut scopes: Vec<usize> = Vec::new();
        for (scope, _) in inputs {
            if !scopes.contains(scope) {
                scopes.push(*scope);
            }
        }
        let mut answer: BTreeMap<i64, Vec<Option<f64>>> = BTreeMap::new();
        for (scope, rows) in inputs {
            let at = scopes.iter().position(|one| one == scope).unwrap();
            let mut greatest: BTreeMap<i64, Option<f64>> = BTreeMap::new();
            for &(time, value) in rows {
                let kept = greatest.entry(time).or_default();
                if value.is_some_and(|value| kept.is_none_or(|kept| value > kept)) {
                    *kept = value;
                }
            }
            for (time, value) in greatest {
                let row = answer.entry(time).or_insert_with(|| vec![None; scopes.len()]);
                row[at] = value.or(row[at]);
            }
        }
        answer.into_iter().collect()
    }

    async fn run(table: JoinTable) -> Vec<Row> {
        let config = SessionConfig::new().with_batch_size(3).with_target_partitions(2);
        let context = SessionContext::new_with_config(config);
        let frame = context.read_table(Arc::new(table)).unwrap();
        let mut rows = Vec::new();
        for batch in frame.collect().await.unwrap() {
            let times = batch.column(0).as_primitive::<TimestampMicrosecondType>();
            for at in 0..batch.num_rows() {
                let values = batch.columns()[1..].iter().map(|column| {
                    let column = column.as_primitive::<Float64Type>();
                    column.is_valid(at).then(|| column.value(at))
                });
                rows.push((times.value(at), values.collect()));
            }
        }
        rows
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn a_join_is_its_model(
            inputs in prop::collection::vec(
                (0..3_usize, prop::collection::vec(
                    (0..40_i64, prop::option::of((-9..9_i8).prop_map(f64::from))), 0..60)),
                1..6)
        ) {
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            let answer = runtime.block_on(run(join(&inputs)));
            prop_assert_eq!(answer, model(&inputs));
        }
    }
}
