//! The way of an export that does not fit into memory: passes over spill files.
//!
//! Rows that join are first divided by a hash of their join key, so that they meet in the same
//! part; then part after part is loaded, joined by index as in [`crate::memory`], and what comes
//! out is divided for the next join. The last division of the root is by ranges of its key's CRC-32,
//! so that its parts in order are the edition in order. Where the last join is on the document key
//! itself, that division serves both.

use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use arrow_array::{Array, ArrayRef, UInt32Array, UInt64Array};
use arrow_schema::{DataType, Field, Schema, SchemaRef};
use hivecast_edition::EditionWriter;
use hivecast_run::{Fault, Result};

use crate::cut::Cut;
use crate::documents::Order;
use crate::gather::{Child, Content, Level, taken};
use crate::job::{ChildSlots, Job, Joining, slots_of};
use crate::memory::shard_count;
use crate::nodes::{NodePlan, Part};
use crate::spill::{Scatter, Spill, SpillWriter};
use hivecast_sql::to_text;

/// Most rows of a level that are put together at a time.
const BATCH_ROWS: usize = 4_096;
/// Most rows, of all levels, that are put together at a time; one larger row goes alone.
const BATCH_WEIGHT: usize = 16_384;

/// How memory and disk are used by the passes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Budget<'a> {
    /// Bytes that one worker holds back while it divides rows.
    pub(crate) scatter_bytes: usize,
    /// Bytes that one worker loads at a time.
    pub(crate) load_bytes: usize,
    /// Bytes that a part may have at most, where it can't be cut any further.
    pub(crate) part_bytes: usize,
    /// How many parts every cut makes.
    pub(crate) parts: u32,
    /// Where spill files are.
    pub(crate) spill: &'a Path,
}

/// Builds the shards with bounded memory.
pub(crate) fn build(job: &Job<'_>, writer: &EditionWriter, budget: Budget<'_>) -> Result<()> {
    Passes { job, writer, budget }.root()
}

struct Passes<'a, 'b> {
    job: &'a Job<'b>,
    writer: &'a EditionWriter,
    budget: Budget<'a>,
}

/// Where a level's rows are between two joins: their slots, then the columns of the children that
/// are joined already.
struct Carried {
    spill: Spill,
    /// For each child of the level, the column that holds it.
    children: Vec<Option<usize>>,
    /// For each child whose orphans are judged, the keys of rows that `where` left out.
    dead: Vec<Option<Spill>>,
}

/// What one worker makes of the rows of a load: where they go next.
enum Next {
    /// To the next join of the same level, with the children of this one as columns.
    Join { slots: Vec<usize>, cut: Cut },
    /// To the level above: join columns, key, the finished struct.
    Above { cut: Cut },
    /// Into the edition's order: as `Join`, divided by the key's text.
    Order { cut: Cut },
}

impl<'a> Passes<'a, '_> {
    fn hash(&self) -> Cut {
        Cut::Hash { parts: self.budget.parts }
    }

    fn range(&self) -> Cut {
        Cut::Range { parts: self.budget.parts }
    }

    /// The whole edition.
    fn root(&self) -> Result<()> {
        let root = self.job.root;
        let joins = joins(root);
        let key = root.key.ok_or_else(|| Fault::bug("the document has no key"))?;
        let on_key = |slots: &[usize]| on_document_key(root, slots);
        let mut carried = self.scan(
            root,
            joins.first().map_or(&[key], Vec::as_slice),
            match joins.as_slice() {
                [] => self.range(),
                [only] if on_key(only) => self.range(),
                _ => self.hash(),
            },
        )?;
        for (index, slots) in joins.iter().enumerate() {
            let last = index + 1 == joins.len();
            if last && on_key(slots) {
                return self.shards(&carried, Some((slots, self.range())));
            }
            let next = match joins.get(index + 1) {
                None => Next::Order { cut: self.range() },
                Some(slots) => {
                    let final_join = index + 2 == joins.len() && on_key(slots);
                    let cut = if final_join { self.range() } else { self.hash() };
                    Next::Join { slots: slots.clone(), cut }
                }
            };
            carried = self.join(root, carried, slots, self.hash(), next)?;
        }
        self.shards(&carried, None)
    }

    /// A level below the root with all below it, finished, divided for the level above.
    fn finished(&self, node: &'a NodePlan, cut: Cut) -> Result<Spill> {
        let joins = joins(node);
        let Some(first) = joins.first() else { return self.scan_leaf(node, cut) };
        let mut carried = self.scan(node, first, self.hash())?;
        for (index, slots) in joins.iter().enumerate() {
            let next = match joins.get(index + 1) {
                None => Next::Above { cut },
                Some(slots) => Next::Join { slots: slots.clone(), cut: self.hash() },
            };
            carried = self.join(node, carried, slots, self.hash(), next)?;
        }
        Ok(carried.spill)
    }

    /// Reads a level's table and divides its rows by these slots.
    fn scan(&self, node: &'a NodePlan, slots: &[usize], cut: Cut) -> Result<Carried> {
        let (reader, orphan_children) = self.job.reader(node)?;
        let writer = self.spill(carried_types(node).iter())?;
        let dead_writers = orphan_children
            .iter()
            .map(|child| {
                self.spill(
                    node.children[*child].parent_slots.iter().map(|slot| node.slots[*slot].data_type()),
                )
            })
            .collect::<Result<Vec<_>>>()?;
        self.job.read_parts(node, &reader, &|part, read| {
            let mut scatter = writer.scatter(part, self.budget.scatter_bytes);
            let mut dead: Vec<Scatter<'_>> =
                dead_writers.iter().map(|writer| writer.scatter(part, self.budget.scatter_bytes)).collect();
            let mut numbers = RowNumbers::of_part(part);
            read(&mut |mut rows| {
                for ((scatter, keys), child) in dead.iter_mut().zip(rows.dead).zip(&orphan_children) {
                    // Nothing was left out of this batch.
                    let Some(len) = keys.first().map(|key| key.len()) else { continue };
                    let cut = self.cut_of_join(node, *child);
                    scatter.push(keys.clone(), cut.assign(&keys, len)?.into_iter())?;
                }
                let parts = self.assign(&rows.slots, slots, rows.len, cut)?;
                rows.slots.extend(numbered(node).then(|| numbers.next(rows.len)));
                scatter.push(rows.slots, parts.into_iter())
            })?;
            dead.iter_mut().try_for_each(Scatter::flush)?;
            scatter.flush()
        })?;
        let mut dead: Vec<Option<Spill>> = node.children.iter().map(|_| None).collect();
        for (child, writer) in orphan_children.iter().zip(dead_writers) {
            dead[*child] = Some(writer.finish());
        }
        Ok(Carried { spill: writer.finish(), children: vec![None; node.children.len()], dead })
    }

    /// Reads a level that has none below it and puts its structs together at once.
    fn scan_leaf(&self, node: &'a NodePlan, cut: Cut) -> Result<Spill> {
        let (reader, _) = self.job.reader(node)?;
        let writer = self.spill(finished_types(node).iter())?;
        self.job.read_parts(node, &reader, &|part, read| {
            let mut scatter = writer.scatter(part, self.budget.scatter_bytes);
            read(&mut |rows| {
                let content = Content::Parts { slots: rows.slots, children: Vec::new() };
                let level = Level::new(node, rows.len, content);
                batches(&level).try_for_each(|rows| self.send_above(&level, &rows, cut, &mut scatter))
            })?;
            scatter.flush()
        })?;
        Ok(writer.finish())
    }

    /// One join of a level: loads its rows and those of the children that join on these slots, part
    /// by part, and sends what comes out on its way.
    fn join(
        &self,
        node: &'a NodePlan,
        carried: Carried,
        slots: &[usize],
        cut: Cut,
        next: Next,
    ) -> Result<Carried> {
        let below = self.below(node, slots, cut)?;
        let mut children = carried.children.clone();
        let types = match &next {
            Next::Above { .. } => finished_types(node),
            Next::Join { .. } | Next::Order { .. } => {
                let mut types: Vec<DataType> =
                    carried.spill_schema().fields().iter().map(|field| field.data_type().clone()).collect();
                for (child, _) in &below {
                    children[*child] = Some(types.len());
                    types.push(NodePlan::child_type(&node.children[*child].node));
                }
                types
            }
        };
        let writer = self.spill(types.iter())?;
        let loads = self.loads(&carried, &below)?;
        self.job.workers().run(loads.len(), |index| {
            let level = self.load(node, &carried, &below, loads[index].clone())?;
            let mut scatter = writer.scatter(index, self.budget.scatter_bytes);
            for rows in batches(&level) {
                match &next {
                    Next::Above { cut } => self.send_above(&level, &rows, *cut, &mut scatter)?,
                    Next::Join { slots, cut } => {
                        self.send_on(&level, &rows, slots, *cut, &below, &carried, &mut scatter)?
                    }
                    Next::Order { cut } => {
                        let key = node.key.ok_or_else(|| Fault::bug("the document has no key"))?;
                        self.send_on(&level, &rows, &[key], *cut, &below, &carried, &mut scatter)?;
                    }
                }
            }
            scatter.flush()
        })?;
        Ok(Carried { spill: writer.finish(), children, dead: carried.dead })
    }

    /// The finished children that join on these slots, divided as the level is.
    fn below(&self, node: &'a NodePlan, slots: &[usize], cut: Cut) -> Result<Vec<(usize, Spill)>> {
        let children = node.children.iter().enumerate().filter(|(_, child)| child.parent_slots == slots);
        children.map(|(index, child)| Ok((index, self.finished(&child.node, cut)?))).collect()
    }

    /// Writes the shards from rows that are divided by ranges of the key, after a last join if there
    /// is one left.
    fn shards(&self, carried: &Carried, join: Option<(&[usize], Cut)>) -> Result<()> {
        let root = self.job.root;
        let below = match join {
            None => Vec::new(),
            Some((slots, cut)) => self.below(root, slots, cut)?,
        };
        let loads = self.loads(carried, &below)?;
        let rows = self.job.found().level(root).tally.rows;
        let shards = shard_count(rows, self.job.threads);
        self.job.workers().run(shards, |shard| {
            let mut writer = self.writer.shard(shard as u32, &root.fields)?;
            for load in &loads[loads.len() * shard / shards..loads.len() * (shard + 1) / shards] {
                let level = self.load(root, carried, &below, load.clone())?;
                let order = Order::new(&level, number_of(&level)?)?;
                self.job.found().keys.add(&level, &order, self.job.document_keys(), self.job.aside)?;
                order.write(&level, 0..order.len(), &mut writer, &self.job.progress, self.job.context)?;
            }
            writer.finish().map(drop)
        })?;
        Ok(())
    }

    /// Adjacent parts that are loaded together.
    fn loads(&self, carried: &Carried, below: &[(usize, Spill)]) -> Result<Vec<Range<usize>>> {
        let mut loads: Vec<Range<usize>> = Vec::new();
        let mut bytes = 0;
        for part in 0..self.budget.parts as usize {
            let more = carried.spill.part_bytes(part)
                + below.iter().map(|(_, spill)| spill.part_bytes(part)).sum::<usize>();
            if more > self.budget.part_bytes {
                return Err(self.too_small(more));
            }
            match loads.last_mut() {
                Some(load) if bytes + more <= self.budget.load_bytes => load.end = part + 1,
                _ => {
                    loads.push(part..part + 1);
                    bytes = 0;
                }
            }
            bytes += more;
        }
        Ok(loads)
    }

    fn too_small(&self, part_bytes: usize) -> Fault {
        let least = crate::embedded::least_memory_for_part(part_bytes, self.job.threads);
        Fault::usage(format!(
            "rows that join on one key need {} MiB together, more than the memory limit leaves for them",
            part_bytes.div_ceil(1 << 20)
        ))
        .advise(format!("run with --memory {}MiB or more", least.div_ceil(1 << 20)))
    }

    /// Loads adjacent parts of a level and of the children below, and joins them.
    fn load(
        &self,
        node: &'a NodePlan,
        carried: &Carried,
        below: &[(usize, Spill)],
        parts: Range<usize>,
    ) -> Result<Level<'a>> {
        let (mut columns, len) = carried.spill.load(parts.clone())?;
        let width = carried_types(node).len();
        let joined = columns.split_off(width);
        let mut children: Vec<Child<'a>> = Vec::with_capacity(node.children.len());
        for (index, child) in node.children.iter().enumerate() {
            if let Some(column) = carried.children[index] {
                children.push(Child::Column(Arc::clone(&joined[column - width])));
                continue;
            }
            let Some((_, spill)) = below.iter().find(|(below, _)| *below == index) else {
                children.push(Child::Later);
                continue;
            };
            let (mut rows, child_len) = spill.load(parts.clone())?;
            let whole = rows.pop().ok_or_else(|| Fault::bug("a finished level has no structs"))?;
            let level = Level::new(&child.node, child_len, Content::Whole(whole));
            let numbers = if numbered(&child.node) { rows.pop() } else { None };
            let key = rows.get(child.node.on.len()).cloned();
            let dead = carried.dead.get(index).and_then(Option::as_ref);
            let dead = dead.map(|spill| spill.load(parts.clone())).transpose()?;
            let groups = self.job.group(Joining {
                parent: node,
                child,
                parent_slots: &columns,
                parent_len: len,
                dead: dead.as_ref().map(|(keys, _)| keys.as_slice()),
                child_slots: ChildSlots { on: &rows[..child.node.on.len()], key: key.as_ref() },
                child_numbers: numbers.as_ref(),
                level: &level,
                threads: 1,
            })?;
            children.push(Child::Linked { groups, level: Box::new(level) });
        }
        Ok(Level::new(node, len, Content::Parts { slots: columns, children }))
    }

    /// Sends finished rows to the level above.
    fn send_above(
        &self,
        level: &Level<'_>,
        rows: &UInt32Array,
        cut: Cut,
        scatter: &mut Scatter<'_>,
    ) -> Result<()> {
        let mut columns = level.slots(&level.plan.on, rows)?;
        let parts = cut.assign(&columns, rows.len())?;
        columns.extend(level.slots(level.plan.key.as_slice(), rows)?);
        columns.extend(number_of(level)?.map(|numbers| taken(numbers, rows)).transpose()?);
        columns.push(Arc::new(level.gather(rows)?));
        scatter.push(columns, parts.into_iter())
    }

    /// Sends rows to the level's next join, with what was joined so far as columns.
    #[allow(clippy::too_many_arguments)]
    fn send_on(
        &self,
        level: &Level<'_>,
        rows: &UInt32Array,
        slots: &[usize],
        cut: Cut,
        below: &[(usize, Spill)],
        carried: &Carried,
        scatter: &mut Scatter<'_>,
    ) -> Result<()> {
        let all: Vec<usize> = (0..carried_types(level.plan).len()).collect();
        let mut columns = level.slots(&all, rows)?;
        let parts = self.assign(&columns, slots, rows.len(), cut)?;
        let mut earlier: Vec<(usize, usize)> = carried
            .children
            .iter()
            .enumerate()
            .filter_map(|(child, column)| Some(((*column)?, child)))
            .collect();
        earlier.sort_unstable();
        for child in earlier.iter().map(|(_, child)| *child).chain(below.iter().map(|(child, _)| *child)) {
            columns.push(level.part(&Part::Child(child), rows)?);
        }
        scatter.push(columns, parts.into_iter())
    }

    /// Each row's part by these slots; a range goes by the text of the key.
    fn assign(&self, columns: &[ArrayRef], slots: &[usize], rows: usize, cut: Cut) -> Result<Vec<u32>> {
        let pick = slots.iter().map(|slot| match cut {
            Cut::Hash { .. } => Ok(Arc::clone(&columns[*slot])),
            Cut::Range { .. } => to_text(&columns[*slot]),
        });
        cut.assign(&pick.collect::<Result<Vec<_>>>()?, rows)
    }

    /// How the level and a child of it are divided when they join.
    fn cut_of_join(&self, node: &NodePlan, child: usize) -> Cut {
        let slots = &node.children[child].parent_slots;
        let last = joins(node).last().is_some_and(|last| last == slots);
        if last && on_document_key(node, slots) { self.range() } else { self.hash() }
    }

    fn spill<'t>(&self, types: impl Iterator<Item = &'t DataType>) -> Result<SpillWriter> {
        let fields: Vec<Field> = types
            .enumerate()
            .map(|(index, data_type)| Field::new(index.to_string(), data_type.clone(), true))
            .collect();
        SpillWriter::new(self.budget.spill, Arc::new(Schema::new(fields)), self.budget.parts as usize)
    }
}

impl Carried {
    fn spill_schema(&self) -> &SchemaRef {
        use hivecast_sql::RowSource;
        self.spill.schema()
    }
}

/// The different sets of slots that a level's children join on, in the order of the children.
fn joins(node: &NodePlan) -> Vec<Vec<usize>> {
    let mut joins: Vec<Vec<usize>> = Vec::new();
    for child in &node.children {
        if !joins.contains(&child.parent_slots) {
            joins.push(child.parent_slots.clone());
        }
    }
    // The join on the document key goes last, since it can serve the edition's order too.
    if node.path.is_empty()
        && let Some(at) = joins.iter().position(|slots| node.key.is_some_and(|key| *slots == [key]))
    {
        let on_key = joins.remove(at);
        joins.push(on_key);
    }
    joins
}

/// What a level's rows are between two joins, before its children: its slots, and where a join puts
/// rows out of the input's order, their number in it.
fn carried_types(node: &NodePlan) -> Vec<DataType> {
    let slots = node.slots.iter().map(|slot| slot.data_type().clone());
    slots.chain(numbered(node).then_some(DataType::UInt64)).collect()
}

/// The columns of a finished level: join columns, key, number, struct.
fn finished_types(node: &NodePlan) -> Vec<DataType> {
    let slots = node.on.iter().chain(&node.key).map(|slot| node.slots[*slot].data_type().clone());
    slots.chain(numbered(node).then_some(DataType::UInt64)).chain([node.struct_type()]).collect()
}

/// Whether a join divides the level's rows another way than the next step needs them, so that they
/// come to it in another order than the input's: what is told apart by nothing else is then told
/// apart by the row's number, as it is in memory by its place.
fn numbered(node: &NodePlan) -> bool {
    match joins(node).as_slice() {
        [] => false,
        [only] => !on_document_key(node, only),
        _ => true,
    }
}

/// Whether a join of the root goes by the document's key as text, so that one division serves both
/// the join and the edition's order.
fn on_document_key(node: &NodePlan, slots: &[usize]) -> bool {
    let text = |key: usize| slots == [key] && node.slots[key].data_type() == &DataType::Utf8View;
    node.path.is_empty() && node.key.is_some_and(text)
}

/// The rows' numbers, where they have any.
fn number_of<'l>(level: &'l Level<'_>) -> Result<Option<&'l ArrayRef>> {
    Ok(if numbered(level.plan) { slots_of(level)?.last() } else { None })
}

/// Numbers rows as the input has them: by part, then within it.
struct RowNumbers(u64);

impl RowNumbers {
    /// More rows than any part has, and more parts than any table.
    const PART_BITS: u32 = 40;

    fn of_part(part: usize) -> Self {
        RowNumbers((part as u64) << Self::PART_BITS)
    }

    fn next(&mut self, rows: usize) -> ArrayRef {
        let start = self.0;
        self.0 += rows as u64;
        Arc::new(UInt64Array::from_iter_values(start..self.0))
    }
}

/// A level's rows in pieces that are small also with all that is below them.
fn batches<'l>(level: &'l Level<'_>) -> impl Iterator<Item = UInt32Array> + use<'l> {
    let mut start = 0u32;
    let len = level.len as u32;
    std::iter::from_fn(move || {
        if start >= len {
            return None;
        }
        let mut weight = 0;
        let mut end = start;
        while end < len && ((end - start) as usize) < BATCH_ROWS {
            weight += level.weight(end);
            if weight > BATCH_WEIGHT && end > start {
                break;
            }
            end += 1;
        }
        let rows = UInt32Array::from_iter_values(start..end);
        start = end;
        Some(rows)
    })
}
