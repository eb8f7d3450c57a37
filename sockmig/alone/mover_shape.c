/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * mover_shape.c - what the other end of a move has of the processes, and what it lacks.
 */
#include "sockmig/alone/mover.h"

#include "sockmig/ckpt/clone_parts.h"
#include "sockmig/seed.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define PART_PAGES 4096u

int
mover_remember(struct mover *m)
{
    const struct tree *t = &m->take.tree;

    m->shapes = calloc(t->n, sizeof *m->shapes);
    if (!m->shapes)
        return -ENOMEM;
    m->nshapes = t->n;
    for (unsigned i = 0; i < t->n; i++) {
        const struct image *im = t->members[i].image;
        struct mover_shape *s = &m->shapes[i];

        s->info = t->members[i].info;
        if (!t->members[i].target)
            continue;
        s->vmas = calloc(im->nvmas + 1, sizeof *s->vmas);
        if (!s->vmas)
            return -ENOMEM;
        memcpy(s->vmas, im->vmas, im->nvmas * sizeof *s->vmas);
        s->nvmas = im->nvmas;
    }
    return 0;
}

void
mover_forget(struct mover *m)
{
    for (unsigned i = 0; i < m->nshapes; i++)
        free(m->shapes[i].vmas);
    free(m->shapes);
    m->shapes = NULL;
    m->nshapes = 0;
    for (unsigned i = 0; i < m->take.tree.n; i++)
        if (m->take.tree.members[i].target)
            target_forget(m->take.tree.members[i].target);
}

bool
mover_is_same(const struct mover *m)
{
    const struct tree *t = &m->take.tree;

    if (t->n != m->nshapes)
        return false;
    for (unsigned i = 0; i < t->n; i++)
        if (!family_is_same(&t->members[i].info, &m->shapes[i].info))
            return false;
    return true;
}

struct pieces {
    struct image_vma *v; /* owned */
    size_t n, max;
};

static bool
add_piece(struct pieces *p, const struct image_vma *v, uint64_t start, uint64_t end)
{
    if (start >= end)
        return true;
    if (p->n == p->max) {
        size_t more = p->max ? 2 * p->max : 64;
        struct image_vma *grown = realloc(p->v, more * sizeof *grown);

        if (!grown)
            return false;
        p->v = grown;
        p->max = more;
    }
    p->v[p->n] = *v;
    p->v[p->n].start = start;
    p->v[p->n++].end = end;
    return true;
}

/* What of @v is made anew at the other end.  Shared memory: -EAGAIN, since there may be
 * more of it than is mapped. */
static int
find_new(struct pieces *p, const struct mover_shape *s, const struct image_vma *v)
{
    uint64_t at = v->start;

    if (v->kind >= IMAGE_VMA_VDSO)
        return 0;
    for (uint32_t i = 0; i < s->nvmas && s->vmas[i].start < v->end; i++) {
        const struct image_vma *old = &s->vmas[i];

        if (old->end <= at || !skeleton_same_backing(old, v))
            continue;
        if (!add_piece(p, v, at, old->start))
            return -ENOMEM;
        at = old->end;
    }
    if (at < v->end && v->kind == IMAGE_VMA_SHARED_ANON)
        return -EAGAIN;
    return add_piece(p, v, at, v->end) ? 0 : -ENOMEM;
}

static int
put_pieces(struct mover *m, unsigned i, struct pieces *p)
{
    struct image only = { .vmas = p->v, .nvmas = (uint32_t)p->n };
    struct seed seed = { 0 };
    int more = 1, ret = seed_add(&seed, &m->take.tree, i, &only);

    while (ret == 0 && more == 1) {
        more = seed_next(&seed, &m->take.pages, PART_PAGES);
        ret = more < 0 ? more : take_pages(&m->take, i);
    }
    seed_end(&seed);
    return ret;
}

/* Pages that were sent ahead for a mapping that it does not have were lost there. */
int
mover_put_new(struct mover *m)
{
    int ret = 0;

    for (unsigned i = 0; i < m->nshapes && ret == 0; i++) {
        const struct image *im = m->take.tree.members[i].image;
        struct pieces p = { 0 };

        if (!m->take.tree.members[i].target)
            continue;
        for (uint32_t k = 0; k < im->nvmas && ret == 0; k++)
            ret = find_new(&p, &m->shapes[i], &im->vmas[k]);
        if (ret == 0 && p.n > 0)
            ret = put_pieces(m, i, &p);
        free(p.v);
    }
    return ret;
}
