//! Tags.

use async_graphql::{InputObject, SimpleObject};
use sqlx::Row;

use super::loaders::{Batches, Loading, TagsOf};
use crate::store::Store;
use crate::store::sql::Sql;

/// A tag.
#[derive(Clone, SimpleObject)]
pub(crate) struct Tag {
    key: String,
    string_value: String,
    /// Who says so: the tag source of a connector or catalogue.
    source: String,
}

/// Which tag something must have.
#[derive(InputObject)]
pub(super) struct TagFilter {
    pub(super) key: Option<String>,
    pub(super) string_value: Option<String>,
}

impl TagFilter {
    /// Appends conditions on `tags t`.
    pub(super) fn push(&self, sql: &mut Sql) -> Result<(), sqlx::Error> {
        for (column, value) in [("t.key", &self.key), ("t.value", &self.string_value)] {
            if let Some(value) = value {
                sql.push(" AND ").push(column).push(" = ").bind(value.as_str())?;
            }
        }
        Ok(())
    }
}

/// The tags of anything that can have some.
pub(super) async fn tags(store: &Store, object_id: &str) -> Result<Vec<Tag>, sqlx::Error> {
    let mut found = tags_of(store, &[object_id.to_owned()]).await?;
    Ok(found.pop().map(|(_, tags)| tags).unwrap_or_default())
}

/// The tags of many things, by id.
pub(super) async fn tags_of(store: &Store, ids: &[String]) -> Result<Vec<(String, Vec<Tag>)>, sqlx::Error> {
    let mut sql = Sql::new("SELECT object_id, key, value, source FROM tags WHERE object_id IN ");
    sql.bind_list(ids)?.push(" ORDER BY object_id, source, key, value");
    let mut found: Vec<(String, Vec<Tag>)> = Vec::new();
    for row in sql.rows(store.pool()).await? {
        let (id, tag): (String, _) = (
            row.try_get(0)?,
            Tag { key: row.try_get(1)?, string_value: row.try_get(2)?, source: row.try_get(3)? },
        );
        match found.last_mut() {
            Some((last, tags)) if *last == id => tags.push(tag),
            _ => found.push((id, vec![tag])),
        }
    }
    Ok(found)
}

/// The tags of one of many things that are asked about together.
pub(super) async fn load(loading: &Loading, id: &str) -> async_graphql::Result<Vec<Tag>> {
    Ok(loading.load_one(TagsOf(id.to_owned())).await?.unwrap_or_default())
}

impl async_graphql::dataloader::Loader<TagsOf> for Batches {
    type Value = Vec<Tag>;
    type Error = async_graphql::Error;

    async fn load(
        &self,
        keys: &[TagsOf],
    ) -> Result<std::collections::HashMap<TagsOf, Self::Value>, Self::Error> {
        let ids: Vec<String> = keys.iter().map(|key| key.0.clone()).collect();
        let found = tags_of(self.store(), &ids).await.map_err(super::internal)?;
        Ok(found.into_iter().map(|(id, tags)| (TagsOf(id), tags)).collect())
    }
}
