use datafusion::arrow::datatypes::DataType;
use datafusion::common::DFSchema;
use datafusion::error::Result;
use datafusion::functions::core::get_field;
use datafusion::logical_expr::planner::{ExprPlanner, PlannerResult, RawFieldAccessExpr};
use datafusion::logical_expr::{Expr, ExprSchemable, GetFieldAccess};

/// Gives the key in `scores['gold']` the type that the map's keys have. DataFusion compares them as they
/// are, and finds texts in two layouts, or integers of two widths, not comparable.
#[derive(Debug)]
pub(crate) struct MapAccess;

impl ExprPlanner for MapAccess {
    fn plan_field_access(
        &self,
        access: RawFieldAccessExpr,
        schema: &DFSchema,
    ) -> Result<PlannerResult<RawFieldAccessExpr>> {
        let DataType::Map(entries, _) = access.expr.get_type(schema)? else {
            return Ok(PlannerResult::Original(access));
        };
        let DataType::Struct(entry) = entries.data_type() else {
            return Ok(PlannerResult::Original(access));
        };
        let key = match &access.field_access {
            GetFieldAccess::NamedStructField { name } => name.clone(),
            GetFieldAccess::ListIndex { key } => match key.as_ref() {
                Expr::Literal(key, _) => key.clone(),
                _ => return Ok(PlannerResult::Original(access)),
            },
            GetFieldAccess::ListRange { .. } => return Ok(PlannerResult::Original(access)),
        };
        let key = Expr::Literal(key.cast_to(entry[0].data_type())?, None);
        Ok(PlannerResult::Planned(get_field().call(vec![access.expr, key])))
    }
}
