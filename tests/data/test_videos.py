"""A folder of videos as a dataset: clocks, sizes, classes, and what is no video."""

from collections.abc import Callable
from contextlib import nullcontext
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

import tacit as tc
from data.recordings import assert_same
from tacit.data.readers._matroska import lacking_bytes
from tacit.data.readers._video_frames import Timed
from tacit.errors import ConfigError, DataError

STEP = 8  # grey levels from one frame to the next
CODECS = {"mp4": "libx264", "mkv": "libx264", "avi": "mpeg4", "webm": "libvpx-vp9", "mov": "libx264"}


def write_video(
    path: Path,
    frames: int = 20,
    fps: int = 25,
    size: tuple[int, int] = (48, 64),
    milliseconds: list[int] | None = None,
    turned: int = 0,
    codec: str = "",
    gop: int = 0,
) -> Path:
    """Frame ``k`` has grey level ``10 + 8 k``; the left half of each is darker by 8."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec or CODECS[path.suffix[1:]], rate=fps)
        stream.height, stream.width = size
        stream.pix_fmt = "yuv420p" if codec != "mjpeg" else "yuvj420p"
        if gop:
            stream.gop_size, stream.codec_context.max_b_frames = gop, 0
        stream.codec_context.bit_rate = 2_000_000
        if milliseconds:
            stream.codec_context.time_base = Fraction(1, 1000)
        if turned:
            stream.set_display_rotation(turned)
        for number in range(frames):
            image = np.full((*size, 3), 10 + STEP * number, np.uint8)
            image[:, : size[1] // 2] -= STEP
            frame = av.VideoFrame.from_ndarray(image, format="rgb24")
            if milliseconds:
                frame.pts, frame.time_base = milliseconds[number], Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def numbers(episode: tc.Episode) -> list[int]:
    """Which frame each observation shows."""
    right = episode.observation["pixels"][..., 5:-5, -9:-3].astype(float).mean(axis=(1, 2, 3))
    return np.rint((right - 10) / STEP).astype(int).tolist()


@pytest.mark.parametrize("kind", CODECS)
def test_a_video_is_read_frame_by_frame(tmp_path, kind):
    write_video(tmp_path / f"a.{kind}", fps=30)  # whose milliseconds mkv and webm round
    episodes = tc.data.open(tmp_path)
    assert episodes.spec == tc.Spec({"pixels": tc.Modality("pixels", (3, 48, 64))}, fps=30.0)
    assert numbers(episodes[0]) == list(range(20))
    assert episodes[0].action.shape == (19, 0)
    assert tc.data.check(tmp_path) == []


def test_a_video_in_which_frames_are_stored_out_of_order_is_read_in_order(tmp_path):
    write_video(tmp_path / "a.avi", codec="libx264")
    assert numbers(tc.data.open(tmp_path)[0]) == list(range(20))


@pytest.mark.parametrize(("fps", "right"), [(5, [0, 5, 10, 15]), (10, [0, 2, 5, 7, 10, 12, 15, 17]), (25, range(20))])
def test_another_rate_takes_the_latest_frame_at_each_time_or_before(tmp_path, fps, right):
    write_video(tmp_path / "a.mp4")
    assert numbers(tc.data.open(tmp_path, fps=fps)[0]) == list(right)


def test_a_higher_rate_repeats_frames(tmp_path):
    write_video(tmp_path / "a.mkv", frames=4)
    assert numbers(tc.data.open(tmp_path, fps=50)[0]) == [0, 0, 1, 1, 2, 2, 3]


def test_a_varying_rate_is_put_on_an_even_clock(tmp_path):
    write_video(tmp_path / "a.mkv", frames=7, milliseconds=[0, 40, 80, 400, 440, 900, 1000])
    assert numbers(tc.data.open(tmp_path, fps=10)[0]) == [0, 2, 2, 2, 3, 4, 4, 4, 4, 5, 6]
    assert tc.data.open(tmp_path).spec.fps == pytest.approx(6.0)  # six intervals in a second


def test_the_clock_is_that_of_a_plain_search():
    rng = np.random.default_rng(0)
    times = 5.0 + np.cumsum(rng.uniform(0.01, 0.2, 50))
    video = Timed(times, 10.0, 1e-3)
    for fps in (3.0, 10.0, 29.97, 120.0):
        slack = min(1e-3, 0.1 / max(fps, 10.0))
        plain = []
        while len(plain) / fps <= times[-1] - times[0] + slack:
            plain.append(max(i for i in range(50) if times[i] - times[0] <= len(plain) / fps + slack))
        assert video.chosen(fps).tolist() == plain


def test_videos_in_subfolders_have_classes_and_one_size(tmp_path):
    write_video(tmp_path / "run/a.mp4", frames=6)
    write_video(tmp_path / "run/b.avi", frames=5, size=(32, 80))
    write_video(tmp_path / "walk/c.mkv", frames=7)
    with pytest.raises(DataError, match=r"b.avi, episode 1, .*64 x 48, like the first video; got 80 x 32.*size=64"):
        list(tc.data.open(tmp_path))
    episodes = tc.data.open(tmp_path, size=(20, 30), channels=1)
    assert episodes.lengths.tolist() == [6, 5, 7]
    assert [episode.task for episode in episodes] == ["run", "run", "walk"]
    assert episodes[2].labels["class"].tolist() == [1] * 7
    assert episodes[1].observation["pixels"].shape == (5, 1, 20, 30)
    assert numbers(episodes[1]) == list(range(5))
    clip = episodes.clips(3).batch(0, 0, 4)
    assert clip.observation["pixels"].shape == (4, 3, 1, 20, 30)
    assert clip.action.shape == (4, 2, 0)


def test_a_converted_video_is_the_same_dataset(tmp_path):
    write_video(tmp_path / "videos/a.mp4")
    tc.data.convert(tmp_path / "videos", tmp_path / "data", "lerobot", size=16, fps=5)
    (read,), (stored,) = tc.data.open(tmp_path / "videos", size=16, fps=5), tc.data.open(tmp_path / "data")
    assert_same(read, stored)
    assert tc.data.open(tmp_path / "data").spec.fps == 5


@pytest.mark.parametrize("turned", [90, 180, -90])
def test_videos_are_turned_as_their_camera_says(tmp_path, turned):
    write_video(tmp_path / "a.mp4", frames=3, turned=turned)
    frame = tc.data.open(tmp_path)[0].observation["pixels"][2, 0].astype(int)
    assert frame.shape == ((64, 48) if abs(turned) == 90 else (48, 64))
    dark = {90: frame[-10:], 180: frame[:, -10:], -90: frame[:10]}[turned]
    light = {90: frame[:10], 180: frame[:, :10], -90: frame[-10:]}[turned]
    assert light.mean() - dark.mean() > STEP / 2


def test_videos_of_several_rates_need_one(tmp_path):
    write_video(tmp_path / "a.mp4")
    write_video(tmp_path / "b.mp4", fps=30)
    with pytest.raises(DataError, match=r"b.mp4, episode 1, field 'fps': expected 25 .* like a.mp4; got 30.*fps=25"):
        tc.data.open(tmp_path)
    assert tc.data.open(tmp_path, fps=5).lengths.tolist() == [4, 4]


def silent(path: Path) -> None:
    """A file with sound only."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=8000)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
        frame.sample_rate = 8000
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def blank(path: Path) -> None:
    """A video without a frame."""
    with av.open(str(path), "w", format="matroska") as container:
        stream = container.add_stream("mpeg4", rate=25)
        stream.height, stream.width, stream.pix_fmt = 48, 64, "yuv420p"
        container.start_encoding()


def cut(path: Path, part: float) -> None:
    write_video(path, frames=30)
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * part)])


def with_sound(path: Path, seconds: float) -> Path:
    """A video of 20 frames with sound of that length."""
    with av.open(str(write_video(path.with_stem("silent")))) as source, av.open(str(path), "w") as target:
        stream = target.add_stream_from_template(source.streams.video[0])
        sound = target.add_stream("libopus", rate=48000)
        for packet in source.demux(video=0):
            if packet.size:
                packet.stream = stream
                target.mux(packet)
        for start in range(0, int(48000 * seconds), 960):
            frame = av.AudioFrame.from_ndarray(np.zeros((1, 960), np.float32), format="flt", layout="mono")
            frame.sample_rate, frame.pts = 48000, start
            target.mux(sound.encode(frame))
        target.mux(sound.encode(None))
    path.with_stem("silent").unlink()
    return path


def copied(source: Path, target: Path, keep: Callable[[int, av.Packet], bool], **options: str) -> Path:
    """The packets of a video in another file, but for some; they may be changed on the way."""
    with av.open(str(source)) as old, av.open(str(target), "w", options=options) as new:
        stream = new.add_stream_from_template(old.streams.video[0])
        for number, packet in enumerate(packet for packet in old.demux(video=0) if packet.size):
            packet.stream = stream
            if keep(number, packet):
                new.mux(packet)
    source.unlink()
    return target


def held_at_the_end(number: int, packet: av.Packet) -> bool:
    if number == 19:
        packet.duration = 3000
    return True


UNEVEN = [*range(0, 160, 40), *range(900, 1200, 20), 3000]
MATROSKA = {
    "even": write_video,
    "uneven": lambda path: write_video(path, milliseconds=UNEVEN),
    "longer sound": lambda path: with_sound(path, 3.0),
    "a last frame that is held": lambda path: copied(write_video(path.with_stem("b")), path, held_at_the_end),
    "never finished": lambda path: copied(write_video(path.with_stem("b")), path, lambda *_: True, live="1"),
}


@pytest.mark.parametrize("kind", ["mkv", "webm"])
@pytest.mark.parametrize("name", MATROSKA)
def test_matroska_videos_are_whole_or_refused(tmp_path, name, kind):
    path = MATROSKA[name](tmp_path / f"a.{kind}")
    early = name == "a last frame that is held" and kind == "webm"  # mkv says how long
    message = r"1 of 1 videos in .* end before their files say, by up to 2.96 s: .*\(.*a.\w+\)"
    with pytest.warns(UserWarning, match=message) if early else nullcontext():
        episodes = tc.data.open(path, fps=25)
    assert numbers(episodes[0])[-1] == 19
    whole = path.read_bytes()
    if name == "never finished":  # nothing says how long such a video is: what is there of it is read
        path.write_bytes(whole[: -(len(whole) // 8)])
        assert 0 < numbers(tc.data.open(path, fps=25)[0])[-1] < 19
        return
    for lacking in (1, len(whole) // 3, len(whole) // 2):
        path.write_bytes(whole[:-lacking])
        with pytest.raises(DataError, match=rf"a.{kind}, .*expected {lacking} bytes more; .*so it is cut short"):
            tc.data.open(path, fps=25)


def test_a_matroska_header_of_nonsense_says_nothing(tmp_path):
    header = bytes.fromhex("1a45dfa3")
    for rest in (b"\x80" + bytes(40), bytes(40), b"\x80\xa3" + bytes(40)):
        (tmp_path / "a.mkv").write_bytes(header + rest)
        assert lacking_bytes(tmp_path / "a.mkv") == 0


def test_a_damaged_frame_is_refused_where_the_decoder_sees_it(tmp_path):
    write_video(tmp_path / "a.avi", codec="mjpeg")
    assert numbers(tc.data.open(tmp_path)[0]) == list(range(20))
    with av.open(str(tmp_path / "a.avi")) as container:
        place = [packet.pos for packet in container.demux(video=0) if packet.size][5]
    data = bytearray((tmp_path / "a.avi").read_bytes())
    place = data.index(b"\xff\xda", place) + 14  # where the pixels of the JPEG begin
    data[place : place + 2] = b"\xff\xd9"  # its end
    (tmp_path / "a.avi").write_bytes(data)
    with pytest.raises(DataError, match=r"a.avi, episode 0, field 'pixels': expected a video; it cannot be decoded"):
        list(tc.data.open(tmp_path))


def test_frames_that_cannot_be_decoded_are_replaced_and_counted_once(tmp_path):
    for name in "ab":  # without frame 0, nothing can be made of 1 and 2
        write_video(tmp_path / "whole.mkv", frames=30, gop=3)
        copied(tmp_path / "whole.mkv", tmp_path / f"{name}.mkv", lambda number, _: number > 0)
    episodes = tc.data.open(tmp_path)
    with pytest.warns(
        UserWarning, match=r"2 of 29 observations in .*a.mkv show the frame before or after theirs"
    ) as caught:
        seen = [numbers(episode) for episode in episodes]
    assert seen == [[3, 3, *range(3, 30)]] * 2
    assert len(caught) == 1


def moved_up_front(path: Path, without: int) -> None:
    """A video whose index comes first, without its last bytes."""
    write_video(path, frames=25)
    with av.open(str(path)) as source, av.open(f"{path}.mp4", "w", options={"movflags": "faststart"}) as target:
        stream = target.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(video=0):
            if packet.size:
                packet.stream = stream
                target.mux(packet)
    path.write_bytes(Path(f"{path}.mp4").read_bytes()[:-without])
    Path(f"{path}.mp4").unlink()


BROKEN = {
    "text": lambda path: path.write_text("no video"),
    "an empty file": lambda path: path.write_bytes(b""),
    "only sound": silent,
    "cut short": lambda path: cut(path, 0.5),
    "cut short behind its index": lambda path: moved_up_front(path, 600),
    "no frames": blank,
}


@pytest.mark.parametrize("name", BROKEN)
def test_what_is_no_video_is_named(tmp_path, name):
    write_video(tmp_path / "a.mp4", frames=3)
    BROKEN[name](tmp_path / "b.mp4")
    with pytest.raises(DataError, match=r"b.mp4, episode 1, field 'pixels': expected"):
        list(tc.data.open(tmp_path, fps=25))
    assert tc.data.check(tmp_path, fps=25)[0].file == str(tmp_path / "b.mp4")
    with pytest.warns(UserWarning, match=r"skipped 1 of 2 videos in .*b.mp4: expected"):
        assert len(list(tc.data.open(tmp_path, fps=25, on_error="skip"))) == 1


def test_check_names_every_video_that_is_wrong(tmp_path):
    for name in ("a", "c"):
        write_video(tmp_path / f"{name}.mp4", frames=3)
    for name in ("b", "d"):
        (tmp_path / f"{name}.mp4").write_text("no video")
    found = tc.data.check(tmp_path)
    assert [(Path(one.file).name, one.episode) for one in found] == [("b.mp4", 1), ("d.mp4", 3)]
    assert "on_error=skip" in found[0].problem


@pytest.mark.parametrize(
    ("without", "message"), [(1, "in the middle of one"), (20, "25 frames; the file ends after 24")]
)
def test_a_video_that_lacks_its_last_bytes_is_seen(tmp_path, without, message):
    moved_up_front(tmp_path / "a.mp4", without)
    with pytest.raises(DataError, match=rf"{message}, so it is cut short"):
        tc.data.open(tmp_path)


def test_options_are_checked(tmp_path):
    write_video(tmp_path / "a.mp4", frames=2)
    for options, message in [
        ({"fsp": 5}, "Videos has no option 'fsp'. Did you mean 'fps'"),
        ({"fps": 0}, "fps is a positive number"),
        ({"size": -1}, "size is a side"),
        ({"channels": 4}, "channels is 3"),
    ]:
        with pytest.raises(ConfigError, match=message):
            tc.data.open(tmp_path, **options)
