use std::sync::Arc;

use arrow_array::{Array, ArrayRef, BooleanArray, RecordBatch, RecordBatchOptions};
use arrow_cast::cast;
use arrow_schema::{DataType, FieldRef, Schema, SchemaRef, TimeUnit};
use datafusion::common::DFSchema;
use datafusion::logical_expr::Expr;
use datafusion::logical_expr::simplify::SimplifyContext;
use datafusion::optimizer::simplify_expressions::ExprSimplifier;
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::expressions::Column;
use datafusion::physical_expr::utils::reassign_expr_columns;
use datafusion::prelude::SessionContext;
use hivecast_feed::BindError;
use hivecast_run::{Fault, Result};

use super::{bind_error, bind_error_over, dialect, wording};

/// An SQL expression over one table's rows, ready to run.
#[derive(Clone, Debug)]
pub struct Expression {
    sql: String,
    /// As it is typed, before it is simplified.
    logical: Arc<Expr>,
    /// What it was bound to.
    bound_to: SchemaRef,
    physical: Arc<dyn PhysicalExpr>,
    result: DataType,
}

impl Expression {
    /// Binds `sql` to `columns`; refuses what DataFusion and Spark do not share.
    pub(crate) fn bind(context: &SessionContext, sql: &str, columns: &SchemaRef) -> Result<Self, BindError> {
        let schema = DFSchema::try_from(Arc::clone(columns)).map_err(|error| bind_error(sql, &error))?;
        let logical =
            context.parse_sql_expr(sql, &schema).map_err(|error| bind_error_over(sql, &error, [columns]))?;
        dialect::allow_expression(&logical, &schema)?;
        let (typed, simplified) =
            simplify(context, logical, &schema).map_err(|error| bind_error(sql, &error))?;
        let physical =
            context.create_physical_expr(simplified, &schema).map_err(|error| bind_error(sql, &error))?;
        let found = physical.data_type(columns).map_err(|error| bind_error(sql, &error))?;
        Ok(Expression {
            sql: sql.to_owned(),
            logical: Arc::new(typed),
            bound_to: Arc::clone(columns),
            physical,
            result: normal_type(&found),
        })
    }

    /// The type of its values, in the engine's normal form: text and binary as views.
    pub fn data_type(&self) -> &DataType {
        &self.result
    }

    /// The same expression, its values cast to `to`, which holds all of them.
    pub fn widened(&self, to: DataType) -> Self {
        Expression { result: to, ..self.clone() }
    }

    /// Whether the other gives the same values.
    pub fn same(&self, other: &Expression) -> bool {
        self.result == other.result && format!("{:?}", self.physical) == format!("{:?}", other.physical)
    }

    /// The columns that it reads, as indices into the schema it was bound to.
    pub fn columns(&self) -> Vec<usize> {
        let mut columns: Vec<usize> = datafusion::physical_expr::utils::collect_columns(&self.physical)
            .iter()
            .map(Column::index)
            .collect();
        columns.sort_unstable();
        columns
    }

    /// One value a row.
    pub fn evaluate(&self, batch: &RecordBatch) -> Result<ArrayRef> {
        let value = self.physical.evaluate(batch).and_then(|value| value.into_array(batch.num_rows()));
        let array = value.map_err(|error| self.failed(wording::sentence(&error)))?;
        if array.data_type() == &self.result {
            return Ok(array);
        }
        cast(&array, &self.result).map_err(|error| self.failed(wording::arrow_sentence(&error)))
    }

    /// Its value where it reads no column; the error says why it has none.
    pub(crate) fn evaluate_alone(&self) -> Result<(), String> {
        let options = RecordBatchOptions::new().with_row_count(Some(1));
        let row = RecordBatch::try_new_with_options(Arc::new(Schema::empty()), Vec::new(), &options);
        let row = row.map_err(|error| wording::arrow_sentence(&error))?;
        let value = self.physical.evaluate(&row).and_then(|value| value.into_array(1));
        let array = value.map_err(|error| wording::sentence(&error))?;
        cast(&array, &self.result).map(drop).map_err(|error| wording::arrow_sentence(&error))
    }

    /// The expression with all its casts, over [`Expression::columns_of`].
    pub(crate) fn logical(&self) -> &Expr {
        &self.logical
    }

    /// The columns that it was bound to.
    pub(crate) fn columns_of(&self) -> &SchemaRef {
        &self.bound_to
    }

    /// The expression as it is written.
    pub fn sql(&self) -> &str {
        &self.sql
    }

    /// Whether it is true, row by row: null is not true.
    pub fn evaluate_filter(&self, batch: &RecordBatch) -> Result<BooleanArray> {
        let array = self.evaluate(batch)?;
        let booleans = array
            .as_any()
            .downcast_ref::<BooleanArray>()
            .ok_or_else(|| Fault::bug(format!("filter {:?} is not boolean", self.sql)))?;
        Ok(match booleans.nulls() {
            Some(nulls) => BooleanArray::new(booleans.values() & nulls.inner(), None),
            None => booleans.clone(),
        })
    }

    /// The same expression over a schema that holds its columns at other places.
    pub fn rebind(&self, columns: &SchemaRef) -> Result<Self> {
        let physical = reassign_expr_columns(Arc::clone(&self.physical), columns).map_err(|error| {
            Fault::bug(format!("failed to bind {:?} to its columns", self.sql)).because(error)
        })?;
        Ok(Expression { physical, ..self.clone() })
    }

    fn failed(&self, cause: String) -> Fault {
        Fault::data(format!("failed to evaluate `{}`", self.sql)).because(cause)
    }
}

/// Coerces types and simplifies: some functions (`coalesce`, `nvl`) exist only to be simplified away. Gives
/// the expression after each.
fn simplify(
    context: &SessionContext,
    logical: Expr,
    schema: &DFSchema,
) -> datafusion::error::Result<(Expr, Expr)> {
    let state = context.state();
    let simplifier = ExprSimplifier::new(
        SimplifyContext::builder()
            .with_schema(Arc::new(schema.clone()))
            .with_config_options(Arc::clone(state.config_options()))
            .build(),
    );
    let typed = simplifier.coerce(logical, schema)?;
    let simplified = simplifier.simplify(typed.clone())?;
    Ok((typed, simplified))
}

/// Text and binary as views, timestamps in microseconds, at any depth: so that both engines, and every source,
/// give one type for one meaning.
pub fn normal_type(found: &DataType) -> DataType {
    match found {
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => DataType::Utf8View,
        DataType::Binary | DataType::LargeBinary | DataType::BinaryView | DataType::FixedSizeBinary(_) => {
            DataType::BinaryView
        }
        DataType::Dictionary(_, value) => normal_type(value),
        DataType::Timestamp(_, zone) => DataType::Timestamp(TimeUnit::Microsecond, zone.clone()),
        DataType::Date64 => DataType::Date32,
        // A bare `null` has no type of its own; as text it is left out or written as null.
        DataType::Null => DataType::Utf8View,
        DataType::List(item) | DataType::LargeList(item) | DataType::FixedSizeList(item, _) => {
            DataType::List(normal_field(item))
        }
        DataType::Struct(fields) => DataType::Struct(fields.iter().map(normal_field).collect()),
        DataType::Map(entries, sorted) => DataType::Map(normal_field(entries), *sorted),
        other => other.clone(),
    }
}

fn normal_field(field: &FieldRef) -> FieldRef {
    Arc::new(field.as_ref().clone().with_data_type(normal_type(field.data_type())))
}

/// A key's type once it is text.
pub fn to_text(array: &ArrayRef) -> Result<ArrayRef> {
    if array.data_type() == &DataType::Utf8View {
        return Ok(Arc::clone(array));
    }
    cast(array, &DataType::Utf8View)
        .map_err(|error| Fault::bug(format!("failed to write a key as text: {error}")))
}
