//! The document's tree bound to tables: for each level, which expressions are evaluated for a row
//! (its slots), which of them join, and how slots and children lie in the document.

use std::sync::Arc;

use arrow_schema::{DataType, Field as Column, Fields, SchemaRef};
use hivecast_feed::{Checked, Element, Field, Node, Shape, Span};
use hivecast_run::{Fault, Result};

use crate::masked::Masked;
use crate::row_gates::HIDDEN;
use hivecast_sql::{Expression, SqlBinder, quoted};

/// What a level of the document is to the level above it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Arity {
    /// The document itself.
    Root,
    /// At most one row for each row above.
    One,
    /// Any number of rows, ordered by the key.
    Many,
}

/// One level of the document.
#[derive(Debug)]
pub(crate) struct NodePlan {
    /// Where it is in the document, for messages: `partyRelations.partyAddress`, empty at the root.
    pub(crate) path: String,
    /// The table's name in the feed.
    pub(crate) table: String,
    pub(crate) arity: Arity,
    /// What is evaluated for each row. A slot's type is its expression's.
    pub(crate) slots: Vec<Expression>,
    /// What each slot is for, for messages.
    pub(crate) origins: Vec<Origin>,
    /// How messages name the table's `where`.
    pub(crate) filter: Origin,
    /// The slots that join with the level above.
    pub(crate) on: Vec<usize>,
    /// The slot of the document's or the element's key.
    pub(crate) key: Option<usize>,
    pub(crate) children: Vec<ChildPlan>,
    /// How a row's slots and children become its struct.
    pub(crate) layout: Vec<Part>,
    /// The struct's fields, one for each part of the layout.
    pub(crate) fields: Fields,
}

/// What an expression is for, as messages name it.
#[derive(Clone, Debug)]
pub(crate) struct Origin {
    /// `field contractCountry (feeds/contracts.yaml:28:22)`
    pub(crate) title: String,
    pub(crate) privacy: Privacy,
}

/// Whether messages may show values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Privacy {
    Open,
    /// The feed masks what the expression reads.
    Masked,
}

/// A level below, and which of this level's slots it joins with.
#[derive(Debug)]
pub(crate) struct ChildPlan {
    pub(crate) node: NodePlan,
    /// In the order of the child's `on`.
    pub(crate) parent_slots: Vec<usize>,
}

/// A field of a struct.
#[derive(Clone, Debug)]
pub(crate) enum Part {
    /// A value: the slot.
    Slot(usize),
    /// `fields`.
    Struct(Vec<Part>, Fields),
    /// `list`: a struct of nullable structs.
    List(Vec<ListElement>, Fields),
    /// `one` or `many`: the index into the node's children.
    Child(usize),
}

/// One element of a `list`.
#[derive(Clone, Debug)]
pub(crate) struct ListElement {
    /// The boolean slot that says whether it is there; none means always.
    pub(crate) when: Option<usize>,
    pub(crate) parts: Vec<Part>,
    pub(crate) fields: Fields,
}

impl ChildPlan {
    /// Takes keys out of examples that consumers do not see. The two sides of a join show one value.
    pub(crate) fn hide_keys(&self, parent: &NodePlan, orphans: &mut [String], ambiguous: &mut [String]) {
        let joins = parent.hides_any(&self.parent_slots) || self.node.hides_any(&self.node.on);
        let hide = |examples: &mut [String]| examples.iter_mut().for_each(|key| HIDDEN.clone_into(key));
        if joins {
            hide(orphans);
        }
        if joins || self.node.key.is_some_and(|key| self.node.hides_any(&[key])) {
            hide(ambiguous);
        }
    }
}

impl NodePlan {
    /// Whether consumers do not see what any of these slots holds.
    fn hides_any(&self, slots: &[usize]) -> bool {
        slots.iter().any(|slot| self.origins[*slot].privacy == Privacy::Masked)
    }

    /// Binds a document's tree to the tables' columns.
    pub(crate) fn bind(checked: &Checked, masked: &Masked) -> Result<Self> {
        let binding = Binding { binder: SqlBinder::default(), checked, masked };
        binding.node(&checked.feed.document, Arity::Root, String::new())
    }

    /// The type of this level's struct.
    pub(crate) fn struct_type(&self) -> DataType {
        DataType::Struct(self.fields.clone())
    }

    /// The type that a child's column has within this level's struct.
    pub(crate) fn child_type(child: &NodePlan) -> DataType {
        match child.arity {
            Arity::Many => DataType::List(Arc::new(Column::new("element", child.struct_type(), false))),
            Arity::Root | Arity::One => child.struct_type(),
        }
    }

    /// This level and all below, each once.
    pub(crate) fn walk(&self) -> Vec<&NodePlan> {
        let mut nodes = vec![self];
        for child in &self.children {
            nodes.extend(child.node.walk());
        }
        nodes
    }

    /// This level without what is made of its rows: the document's key, or what it joins by.
    pub(crate) fn keys_only(&self) -> NodePlan {
        let wanted: Vec<usize> = match self.arity {
            Arity::Root => self.key.into_iter().collect(),
            Arity::One | Arity::Many => self.on.clone(),
        };
        NodePlan {
            path: self.path.clone(),
            table: self.table.clone(),
            arity: self.arity,
            slots: wanted.iter().map(|slot| self.slots[*slot].clone()).collect(),
            origins: wanted.iter().map(|slot| self.origins[*slot].clone()).collect(),
            filter: self.filter.clone(),
            on: (0..wanted.len()).collect(),
            key: None,
            children: Vec::new(),
            layout: Vec::new(),
            fields: Fields::empty(),
        }
    }

    /// How messages name this level.
    pub(crate) fn title(&self) -> String {
        match self.arity {
            Arity::Root => format!("the document (table {})", self.table),
            _ => format!("{} (table {})", self.path, self.table),
        }
    }
}

struct Binding<'a> {
    binder: SqlBinder,
    checked: &'a Checked,
    masked: &'a Masked,
}

/// A level while its slots are being collected.
struct Draft<'a> {
    schema: &'a SchemaRef,
    path: String,
    /// The mappings and list elements of the level that what is bound now lies in: `left.` or `titles[0].`.
    within: String,
    slots: Vec<Expression>,
    origins: Vec<Origin>,
    children: Vec<ChildPlan>,
}

impl Binding<'_> {
    fn node(&self, node: &Node, arity: Arity, path: String) -> Result<NodePlan> {
        let table = &node.table.value;
        let schema = self.checked.schemas.get(table).ok_or_else(|| {
            Fault::bug(format!("table {table} has no schema although the feed was checked"))
        })?;
        let mut draft = Draft {
            schema,
            path: path.clone(),
            within: String::new(),
            slots: Vec::new(),
            origins: Vec::new(),
            children: Vec::new(),
        };
        let on = node
            .on
            .iter()
            .map(|pair| self.join_slot(&mut draft, &pair.child, &pair.span))
            .collect::<Result<_>>()?;
        let key = node
            .key
            .as_ref()
            .map(|key| self.slot(&mut draft, &key.value, &format!("the key of table {table}"), &key.span))
            .transpose()?;
        let (layout, fields) = self.parts(&mut draft, &node.fields)?;
        let Draft { slots, origins, children, .. } = draft;
        let filter = self.filter(table);
        Ok(NodePlan {
            path,
            table: table.clone(),
            arity,
            slots,
            origins,
            filter,
            on,
            key,
            children,
            layout,
            fields,
        })
    }

    fn parts(&self, draft: &mut Draft<'_>, fields: &[Field]) -> Result<(Vec<Part>, Fields)> {
        let mut parts = Vec::with_capacity(fields.len());
        let mut columns = Vec::with_capacity(fields.len());
        for field in fields {
            let (part, column) = self.part(draft, field)?;
            parts.push(part);
            columns.push(column);
        }
        Ok((parts, columns.into()))
    }

    fn part(&self, draft: &mut Draft<'_>, field: &Field) -> Result<(Part, Column)> {
        let name = field.name.as_str();
        Ok(match &field.shape {
            Shape::Value { sql, .. } => {
                let title = match draft.path.as_str() {
                    "" => format!("field `{name}`"),
                    path => format!("field `{name}` in `{path}`"),
                };
                let slot = self.slot(draft, &sql.value, &title, &sql.span)?;
                (Part::Slot(slot), Column::new(name, draft.slots[slot].data_type().clone(), true))
            }
            Shape::Fields(inner) => {
                let (parts, fields) = self.parts_within(draft, name, inner)?;
                (Part::Struct(parts, fields.clone()), Column::new(name, DataType::Struct(fields), false))
            }
            Shape::List(elements) => {
                let elements = elements
                    .iter()
                    .enumerate()
                    .map(|(index, element)| self.element(draft, &format!("{name}[{index}]"), element))
                    .collect::<Result<Vec<_>>>()?;
                let column = |(index, element): (usize, &ListElement)| {
                    Column::new(index.to_string(), DataType::Struct(element.fields.clone()), true)
                };
                let fields: Fields = elements.iter().enumerate().map(column).collect();
                (Part::List(elements, fields.clone()), Column::new(name, DataType::Struct(fields), false))
            }
            Shape::One(node) => self.child(draft, name, node, Arity::One)?,
            Shape::Many(node) => self.child(draft, name, node, Arity::Many)?,
        })
    }

    /// The fields of a mapping or of a list's element.
    fn parts_within(
        &self,
        draft: &mut Draft<'_>,
        name: &str,
        fields: &[Field],
    ) -> Result<(Vec<Part>, Fields)> {
        let outside = draft.within.len();
        draft.within.push_str(name);
        draft.within.push('.');
        let parts = self.parts(draft, fields);
        draft.within.truncate(outside);
        parts
    }

    fn element(&self, draft: &mut Draft<'_>, name: &str, element: &Element) -> Result<ListElement> {
        let when = element
            .when
            .as_ref()
            .map(|when| self.slot(draft, &when.value, "`when`", &when.span))
            .transpose()?;
        let (parts, fields) = self.parts_within(draft, name, &element.fields)?;
        Ok(ListElement { when, parts, fields })
    }

    fn child(&self, draft: &mut Draft<'_>, name: &str, node: &Node, arity: Arity) -> Result<(Part, Column)> {
        let above = if draft.path.is_empty() { String::new() } else { format!("{}.", draft.path) };
        let path = format!("{above}{}{name}", draft.within);
        let parent_slots = node
            .on
            .iter()
            .map(|pair| self.join_slot(draft, &pair.parent, &pair.span))
            .collect::<Result<_>>()?;
        let node = self.node(node, arity, path)?;
        let nullable = arity == Arity::One;
        let column = Column::new(name, NodePlan::child_type(&node), nullable);
        draft.children.push(ChildPlan { node, parent_slots });
        Ok((Part::Child(draft.children.len() - 1), column))
    }

    /// The slot of an expression, shared by all that write the same one.
    fn slot(&self, draft: &mut Draft<'_>, sql: &str, title: &str, span: &Span) -> Result<usize> {
        let expression = self.binder.expression(sql, draft.schema).map_err(|error| {
            Fault::bug(format!("{sql:?} does not bind although the feed was checked: {}", error.message))
        })?;
        Ok(self.push_slot(draft, expression, title, span))
    }

    /// The slot of a join column. Integers of every width join with each other, so they are widened.
    fn join_slot(&self, draft: &mut Draft<'_>, column: &str, span: &Span) -> Result<usize> {
        let title = format!("the join column {column}");
        let slot = self.slot(draft, &quoted(column), &title, span)?;
        let wide = match draft.slots[slot].data_type() {
            DataType::Int8
            | DataType::Int16
            | DataType::Int32
            | DataType::UInt8
            | DataType::UInt16
            | DataType::UInt32 => draft.slots[slot].widened(DataType::Int64),
            _ => return Ok(slot),
        };
        Ok(self.push_slot(draft, wide, &title, span))
    }

    fn push_slot(&self, draft: &mut Draft<'_>, expression: Expression, title: &str, span: &Span) -> usize {
        if let Some(slot) = draft.slots.iter().position(|slot| slot.same(&expression)) {
            return slot;
        }
        draft.origins.push(self.origin(&expression, draft.schema, title, span));
        draft.slots.push(expression);
        draft.slots.len() - 1
    }

    fn origin(&self, expression: &Expression, columns: &SchemaRef, title: &str, span: &Span) -> Origin {
        let privacy = match self.masked.hides_any(expression, columns) {
            true => Privacy::Masked,
            false => Privacy::Open,
        };
        Origin { title: format!("{title} ({})", self.checked.source.spot(span)), privacy }
    }

    /// How messages name a table's `where`; its values are not shown where it reads what is masked.
    fn filter(&self, table: &str) -> Origin {
        let title = format!("`where` of table {table}");
        let found = self.checked.feed.tables.iter().find(|found| found.name == table);
        let (Some(filter), Some(columns)) =
            (found.and_then(|table| table.filter.as_ref()), self.checked.schemas.get(table))
        else {
            return Origin { title, privacy: Privacy::Open };
        };
        match self.binder.expression(&filter.value, columns) {
            Ok(expression) => self.origin(&expression, columns, &title, &filter.span),
            Err(_) => Origin { title, privacy: Privacy::Masked },
        }
    }
}
