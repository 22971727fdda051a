"""The use cases, on a store and a storage in memory and tasks that run in this process."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from io import BytesIO

import pytest
from PIL import Image as PillowImage

from imgsvc import errors
from imgsvc.jobs import Job, State, image_id
from imgsvc.pipeline import Grammar
from imgsvc.service import JobRequest, QueuePlace, Service, Staged

pytestmark = pytest.mark.anyio

Photo = Callable[..., bytes]

GRAMMAR = Grammar(testing=True)


def wish(ops: str = "resize:40x/png", **more: object) -> JobRequest:
    return JobRequest(outputs={"default": GRAMMAR.parse(ops)}, **more)  # type: ignore[arg-type]  # named by the test


@asynccontextmanager
async def staged(service: Service, body: bytes) -> AsyncIterator[Staged]:
    async with service.intake.begin() as incoming:
        await incoming.write(body)
        yield await incoming.finish()


async def submit(service: Service, body: bytes, request: JobRequest | None = None) -> Job:
    async with staged(service, body) as upload:
        return await service.submit(upload, request or wish(), filename="cat.jpg")


async def content(service: Service, job: Job, name: str | None = None) -> bytes:
    _, result = await service.result(job.id, name, wait=10)
    async with await service.open_blob(result) as blob:
        return b"".join([piece async for piece in blob.chunks()])


def leftovers(service: Service) -> list[str]:
    storage = service._submissions.storage
    # The folder of the dispatcher's semaphores is there as long as the service is.
    staging = [path.name for path in service.intake.folder.iterdir() if not path.name.startswith("loky-")]
    return staging + [key for room in ("images", "results", "staging") for key in storage.keys(room)]


async def busy(service: Service) -> bool:
    return any(lane.step for lane, _ in service.status.workers().lanes)


async def test_a_job_is_promised_done_and_fetched(service: Service, photo: Photo) -> None:
    body = photo()
    job = await submit(service, body)
    assert (job.state, job.attempts, job.filename) == (State.QUEUED, 0, "cat.jpg")
    assert (job.image.width, job.image.height, job.image.bytes) == (160, 120, len(body))
    assert job.image.id == image_id(hashlib.sha256(body).hexdigest())
    assert PillowImage.open(BytesIO(await content(service, job))).size == (40, 30)
    done = await service.job(job.id)
    assert done.state is State.SUCCEEDED
    assert done.timings.total_ms is not None
    assert done.timings.upload_ms is not None
    assert done.timings.steps[0].op == "decode"


async def test_several_outputs_come_from_one_upload(service: Service, photo: Photo) -> None:
    outputs = {"small": GRAMMAR.parse("resize:20x/webp"), "gray": GRAMMAR.parse("grayscale/png")}
    job = await submit(service, photo(), JobRequest(outputs=outputs))
    assert PillowImage.open(BytesIO(await content(service, job, "small"))).format == "WEBP"
    assert PillowImage.open(BytesIO(await content(service, job, "gray"))).mode == "L"
    with pytest.raises(errors.NotFound, match="small, gray"):
        await service.result(job.id)
    with pytest.raises(errors.NotFound):
        await service.result(job.id, "large")


async def test_the_same_bytes_twice_are_one_image(service: Service, photo: Photo) -> None:
    first, second = [await submit(service, photo()) for _ in range(2)]
    assert first.image == second.image
    await asyncio.gather(service.wait(first.id, 10), service.wait(second.id, 10))
    assert len([key for key in leftovers(service) if key.startswith("images/")]) == 1


async def test_an_upload_that_is_no_image_is_refused_and_leaves_nothing(service: Service) -> None:
    with pytest.raises(errors.UnsupportedMediaType):
        await submit(service, b"no picture at all")
    assert leftovers(service) == []


async def test_a_result_that_would_be_too_large_is_refused_before_a_pixel_is_read(
    service: Service, photo: Photo
) -> None:
    outputs = {"fine": GRAMMAR.parse("grayscale"), "huge": GRAMMAR.parse("resize:16000x16000,fit=pad")}
    with pytest.raises(errors.OutputTooLarge, match="resize") as caught:
        await submit(service, photo(), JobRequest(outputs=outputs))
    assert caught.value.problem.output == "huge"
    assert leftovers(service) == []


async def test_a_damaged_image_fails_its_job_with_the_reason(service: Service, photo: Photo) -> None:
    body = photo(640, 480)
    job = await submit(service, body[: len(body) // 2])
    done = await service.wait(job.id, 10)
    assert done.state is State.FAILED
    with pytest.raises(errors.ImageCorrupt):
        await service.result(job.id)


async def test_a_request_that_says_nothing_gets_what_the_policy_says(service: Service, photo: Photo) -> None:
    job = await submit(service, photo())
    assert (job.timeout_ms, job.max_attempts, job.retention_s) == (30_000, 3, 7 * 86400)


async def test_a_request_may_ask_for_less_time_but_not_for_more(service: Service, photo: Photo) -> None:
    shorter = await submit(service, photo(), wish(timeout_s=2, max_attempts=1, retention_s=60))
    longer = await submit(service, photo(), wish(timeout_s=3600))
    assert (shorter.timeout_ms, shorter.max_attempts, shorter.retention_s) == (2000, 1, 60)
    assert longer.timeout_ms == 30_000


async def test_an_unknown_job_is_not_found(service: Service) -> None:
    unknown = "job_" + "0" * 32
    for ask in (service.job, service.cancel, service.delete, service.retry, service.result):
        with pytest.raises(errors.NotFound):
            await ask(unknown)


async def test_a_result_that_is_not_there_yet_says_so(service: Service, photo: Photo) -> None:
    await service.pause()
    job = await submit(service, photo())
    with pytest.raises(errors.JobNotFinished):
        await service.result(job.id)
    assert await service.queue_places([job]) == {job.id: QueuePlace(1, None)}
    with pytest.raises(errors.JobNotFinished):
        await service.retry(job.id)


async def test_waiting_ends_with_the_time_or_with_the_job(service: Service, photo: Photo) -> None:
    await service.pause()
    job = await submit(service, photo())
    assert (await service.wait(job.id, 0.02)).state is State.QUEUED
    waiting = asyncio.create_task(service.wait(job.id, 30))
    await asyncio.sleep(0)
    await service.resume()
    assert (await waiting).state is State.SUCCEEDED


async def test_a_canceled_job_has_no_result(service: Service, photo: Photo) -> None:
    await service.pause()
    job = await submit(service, photo())
    assert (await service.cancel(job.id)).state is State.CANCELED
    assert (await service.cancel(job.id)).state is State.CANCELED
    with pytest.raises(errors.JobCanceled):
        await service.result(job.id)


async def test_queued_jobs_are_canceled_in_bulk(service: Service, photo: Photo) -> None:
    await service.pause()
    for _ in range(3):
        await submit(service, photo())
    assert await service.cancel_queued() == 3
    assert await service.cancel_queued() == 0


async def test_a_deleted_job_is_gone_with_everything_it_had(service: Service, photo: Photo) -> None:
    job = await submit(service, photo())
    await service.wait(job.id, 10)
    await service.delete(job.id)
    await service.delete(job.id)
    assert leftovers(service) == []
    with pytest.raises(errors.ResultExpired):
        await service.job(job.id)


async def test_a_result_outlives_its_deletion_for_whoever_reads_it(
    real_service: Service, photo: Photo
) -> None:
    job = await submit(real_service, photo(2000, 1500), wish("png:0"))
    _, result = await real_service.result(job.id, wait=30)
    async with await real_service.open_blob(result) as blob:
        assert blob.data is None
        await real_service.delete(job.id)
        read = b"".join([piece async for piece in blob.chunks()])
    assert hashlib.sha256(read).hexdigest() == result.sha256


async def test_an_expired_job_is_gone_before_the_sweep_comes(service: Service, photo: Photo) -> None:
    job = await submit(service, photo(), wish(retention_s=0.15))
    done = await service.wait(job.id, 10)
    assert done.expires_at is not None
    await asyncio.sleep(0.2)
    with pytest.raises(errors.ResultExpired):
        await service.job(job.id)


async def test_a_retry_is_a_new_job_that_does_the_same(service: Service, photo: Photo) -> None:
    job = await submit(service, photo(), wish(reference="mine"))
    await service.wait(job.id, 10)
    again = await service.retry(job.id)
    assert (again.retry_of, again.outputs, again.image) == (job.id, job.outputs, job.image)
    assert again.id != job.id
    assert (await service.wait(again.id, 10)).state is State.SUCCEEDED


async def test_a_retry_without_the_image_says_that_the_image_is_gone(service: Service, photo: Photo) -> None:
    job = await submit(service, photo())
    await service.wait(job.id, 10)
    await service.images.delete(job.image.id)
    with pytest.raises(errors.NotFound, match="the job's image has been removed"):
        await service.retry(job.id)
    assert [kept.id for kept in (await service.jobs(limit=5)).items] == [job.id]


async def test_jobs_are_listed_newest_first(service: Service, photo: Photo) -> None:
    jobs = [await submit(service, photo()) for _ in range(3)]
    page = await service.jobs(limit=2)
    assert [job.id for job in page.items] == [jobs[2].id, jobs[1].id]
    rest = await service.jobs(limit=2, cursor=page.next_cursor)
    assert [job.id for job in rest.items] == [jobs[0].id]


async def test_a_stored_image_is_kept_and_used_by_its_id(service: Service, photo: Photo) -> None:
    body = photo()
    async with staged(service, body) as upload:
        image, created = await service.images.add(upload)
    assert created
    async with staged(service, body) as upload:
        same, created = await service.images.add(upload)
    assert (same, created) == (image, False)
    job = await service.submit_stored(image.id, wish())
    await service.wait(job.id, 10)
    await service.delete(job.id)
    assert await service.images.get(image.id) == image
    async with await service.open_blob(image) as blob:
        assert blob.data == body
    await service.images.delete(image.id)
    assert leftovers(service) == []
    with pytest.raises(errors.NotFound):
        await service.images.get(image.id)


async def test_an_image_that_a_job_needs_can_not_be_deleted(service: Service, photo: Photo) -> None:
    async with staged(service, photo()) as upload:
        image, _ = await service.images.add(upload)
    await service.pause()
    await service.submit_stored(image.id, wish())
    with pytest.raises(errors.ImageInUse):
        await service.images.delete(image.id)


async def test_a_job_with_an_unknown_image_is_not_found(service: Service) -> None:
    with pytest.raises(errors.NotFound):
        await service.submit_stored("img_" + "0" * 32, wish())


async def test_a_call_gives_its_result_and_keeps_nothing(service: Service, photo: Photo) -> None:
    async with staged(service, photo()) as upload:
        processed = await service.process(upload, GRAMMAR.parse("resize:40x/webp"))
    async with processed.blob as blob:
        assert blob.data is not None
        assert PillowImage.open(BytesIO(blob.data)).size == (40, 30)
    assert processed.result.sha256 == hashlib.sha256(blob.data).hexdigest()
    assert leftovers(service) == []


async def test_a_call_with_a_bad_image_is_refused_and_keeps_nothing(service: Service) -> None:
    async with staged(service, b"no picture") as upload:
        with pytest.raises(errors.UnsupportedMediaType):
            await service.process(upload, GRAMMAR.parse("resize:40x"))
    assert leftovers(service) == []


async def test_a_large_result_of_a_call_is_streamed_and_gone(real_service: Service, photo: Photo) -> None:
    async with staged(real_service, photo(1200, 900)) as upload:
        processed = await real_service.process(upload, GRAMMAR.parse("png:0"))
    assert leftovers(real_service) == []
    async with processed.blob as blob:
        assert blob.data is None
        read = b"".join([piece async for piece in blob.chunks()])
        part = b"".join([piece async for piece in blob.chunks(10, 20)])
    assert hashlib.sha256(read).hexdigest() == processed.result.sha256
    assert part == read[10:20]


async def test_a_client_that_leaves_takes_its_work_with_it(real_service: Service, photo: Photo) -> None:
    async with staged(real_service, photo()) as upload:
        call = asyncio.create_task(real_service.process(upload, GRAMMAR.parse("test-sleep:30")))
        async with asyncio.timeout(10):
            while not await busy(real_service):  # noqa: ASYNC110  # nobody tells when a worker begins
                await asyncio.sleep(0.01)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
    assert leftovers(real_service) == []


async def test_a_draining_service_takes_nothing_new_and_answers_the_rest(
    service: Service, photo: Photo
) -> None:
    await service.pause()
    job = await submit(service, photo())
    await service.stop(0)
    with pytest.raises(errors.Draining):
        async with service.admission.job():
            pass
    with pytest.raises(errors.Draining):
        await submit(service, photo())
    assert (await service.wait(job.id, 30)).state is State.QUEUED
    assert (await service.cancel(job.id)).state is State.CANCELED
    readiness = await service.status.readiness()
    assert (readiness.ok, readiness.reasons) == (False, ("draining",))


async def test_an_upload_that_waited_for_its_turn_is_not_read_while_the_service_drains(
    service: Service,
) -> None:
    async with AsyncExitStack() as uploads:
        for _ in range(service.policy.uploads):
            await uploads.enter_async_context(service.admission.aside())

        async def late() -> None:
            async with service.admission.job(1000):
                raise AssertionError("it was let in")

        waiting = asyncio.create_task(late())
        while not (await service.status.stats()).uploads.waiting:  # noqa: ASYNC110  # nobody tells
            await asyncio.sleep(0)
        service.drain()
        await uploads.aclose()
        with pytest.raises(errors.Draining):
            await waiting


async def test_an_operator_sees_what_goes_on(service: Service, photo: Photo) -> None:
    await service.pause()
    await submit(service, photo())
    readiness = await service.status.readiness()
    assert readiness.ok
    assert readiness.degraded == ("operations made for tests exist", "the queue is paused")
    stats = await service.status.stats()
    assert (stats.queue.backlog.queued, stats.queue.paused) == (1, True)
    assert stats.jobs[State.QUEUED] == 1
    await service.resume()
    workers = service.status.workers()
    assert len(workers.lanes) == 2
