"""MCAP files and bags of ROS, read as the package rosbags wrote them."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rosbags.rosbag2 import StoragePlugin, Writer
from rosbags.typesys import Stores, get_typestore

import tacit as tc
from data.robot_files import jpeg
from tacit.errors import ConfigError, DataError, MissingExtra

STORE = get_typestore(Stores.ROS2_HUMBLE)
TYPES = STORE.types
START = 1_700_000_000_000_000_000
HEIGHT, WIDTH = 12, 16
Message = tuple[str, float, Any]


def header() -> Any:
    return TYPES["std_msgs/msg/Header"](TYPES["builtin_interfaces/msg/Time"](0, 0), "")


def image(pixels: np.ndarray, encoding: str = "rgb8", pad: int = 0) -> Any:
    rows = pixels.reshape(len(pixels), -1).view(np.uint8)
    rows = np.pad(rows, ((0, 0), (0, pad)))
    return TYPES["sensor_msgs/msg/Image"](header(), *pixels.shape[:2], encoding, 0, rows.shape[1], rows.ravel())


def joints(position: np.ndarray) -> Any:
    names = [f"joint {place}" for place in range(len(position))]
    return TYPES["sensor_msgs/msg/JointState"](header(), names, position, -position, np.zeros(0))


def twist(values: np.ndarray) -> Any:
    vector = TYPES["geometry_msgs/msg/Vector3"]
    return TYPES["geometry_msgs/msg/Twist"](vector(*values[:3]), vector(*values[3:]))


def write(path: Path, sent: list[Message], mcap: bool = True) -> Path:
    """Write messages as a bag of ROS 2: a folder, or the MCAP file in it at ``path`` ending in ``.mcap``."""
    folder = path.with_suffix("") if path.suffix else path
    plugin = StoragePlugin.MCAP if mcap else StoragePlugin.SQLITE3
    with Writer(folder, version=9, storage_plugin=plugin) as writer:
        places: dict[str, Any] = {}
        for topic, seconds, message in sent:
            kind = message.__msgtype__
            if topic not in places:
                places[topic] = writer.add_connection(topic, kind, typestore=STORE)
            writer.write(places[topic], START + round(seconds * 1e9), STORE.serialize_cdr(message, kind))
    if path.suffix:
        (folder / f"{folder.name}.mcap").rename(path)
        for rest in folder.iterdir():
            rest.unlink()
        folder.rmdir()
    return path


PICTURES = np.random.default_rng(0).integers(0, 256, (21, HEIGHT, WIDTH, 3), dtype=np.uint8)
POSITIONS = np.random.default_rng(1).normal(size=(200, 3))
COMMANDS = np.random.default_rng(2).normal(size=(40, 6))


def robot(change: Callable[[Message], Message | None] = lambda one: one) -> list[Message]:
    """Return two seconds of images at 10, joint states at 100 and commands at 20 a second, in the order of time."""
    sent: list[Message] = [("/camera/front/image_raw", k / 10, image(PICTURES[k])) for k in range(20)]
    sent += [("/joint_states", k / 100, joints(POSITIONS[k])) for k in range(200)]
    sent += [("/cmd_vel", k / 20, twist(COMMANDS[k])) for k in range(40)]
    changed = [change(one) for one in sent]
    return sorted((one for one in changed if one is not None), key=lambda one: one[1])


@pytest.mark.parametrize(("name", "mcap"), [("run.mcap", True), ("run", True), ("run", False)])
def test_a_bag_is_read_exactly(tmp_path: Path, name: str, mcap: bool) -> None:
    path = write(tmp_path / name, robot(), mcap)
    episodes = tc.data.open(path)
    assert set(episodes.spec.modalities) == {"front", "joint_states"}
    assert episodes.spec.fps == 10
    assert episodes.lengths.tolist() == [20]
    (episode,) = episodes
    np.testing.assert_array_equal(episode.observation["front"], np.moveaxis(PICTURES[:20], -1, 1))
    np.testing.assert_array_equal(episode.observation["joint_states"], POSITIONS[::10].astype(np.float32))
    commands = COMMANDS[::2].astype(np.float32)  # the one in force at each image
    np.testing.assert_array_equal(episode.action, commands[:-1])
    np.testing.assert_array_equal(episode.final_action, commands[-1])
    assert tc.data.info(path).format == "rosbag"
    assert tc.data.check(path) == []
    clip = episodes.clips(2).batch(seed=0, step=0, size=2)
    assert clip.observation["front"].shape == (2, 2, 3, HEIGHT, WIDTH)


def test_a_mapping_gives_the_roles(tmp_path: Path) -> None:
    path = write(tmp_path / "run.mcap", robot())
    mapping = tmp_path / "roles.toml"
    lines = [
        "[roles]",
        '"/joint_states.velocity" = "observation"',
        '"/joint_states" = "label"',
        '"/cmd_vel.linear" = "action"',
    ]
    mapping.write_text("\n".join(lines))
    episodes = tc.data.open(path, topics=str(mapping), fps=50)
    assert set(episodes.spec.modalities) == {"joint_states_velocity"}
    assert episodes.labels == ("joint_states",)
    velocity = episodes[0].observation["joint_states_velocity"]
    np.testing.assert_array_equal(velocity, -POSITIONS[: 2 * len(velocity) : 2].astype(np.float32))
    held = COMMANDS[np.floor(np.arange(len(velocity) - 1) * 20 / 50 + 1e-9).astype(int), :3]
    np.testing.assert_array_equal(episodes[0].action, held.astype(np.float32))
    same = tc.data.open(path, roles={line.split('"')[1]: line.split('"')[3] for line in lines[1:]}, fps=50)
    assert same.hash() == episodes.hash()
    mapping.write_text("\n".join(lines).replace('"/joint_states" = "label"', '"/joint_states" = "skip"'))
    assert tc.data.open(path, topics=str(mapping), fps=50).hash() != episodes.hash()


@pytest.mark.parametrize(
    ("roles", "error", "problem"),
    [
        ({"/joint_state": "observation"}, DataError, r"no such topic. Did you mean '/joint_states'"),
        ({"/joint_states.positions": "observation"}, DataError, r"message 0: .*'positions'. Did you mean 'position'"),
        ({"/joint_states.name": "observation"}, DataError, "expected numbers in name; there are none"),
        ({"/joint_states": "observe"}, ConfigError, "got 'observe'. Did you mean 'observation'"),
    ],
)
def test_unknown_names_suggest_the_nearest(tmp_path: Path, roles: dict[str, str], error: type, problem: str) -> None:
    with pytest.raises(error, match=problem):
        tc.data.open(write(tmp_path / "run.mcap", robot()), roles=roles)


def test_a_mapping_that_cannot_be_read_names_the_file(tmp_path: Path) -> None:
    path = write(tmp_path / "run.mcap", robot())
    for text, problem in (
        ("[role]\n", "Did you mean 'roles'"),
        ("[roles", "cannot be read"),
        ("", r"a table \[roles\]"),
    ):
        (tmp_path / "a.toml").write_text(text)
        with pytest.raises(ConfigError, match=problem):
            tc.data.open(path, topics=str(tmp_path / "a.toml"))


def test_a_stale_topic_splits_the_bag(tmp_path: Path) -> None:
    path = write(tmp_path / "run.mcap", robot(lambda one: None if one[0] == "/cmd_vel" and 0.6 < one[1] < 1.4 else one))
    with pytest.warns(
        UserWarning, match=r"left out \d+ of 20 steps in .*: /cmd_vel is older than 0.25 s at \d+ of them"
    ):
        episodes = tc.data.open(path)
    assert episodes.lengths.tolist() == [9, 6]  # steps 0 to 8, and from 1.4 s on
    assert len(set(episodes.groups)) == 1 and episodes.groups[0]
    np.testing.assert_array_equal(episodes[1].observation["front"], np.moveaxis(PICTURES[14:20], -1, 1))
    np.testing.assert_array_equal(episodes[1].action[0], COMMANDS[28].astype(np.float32))
    assert tc.data.open(path, stale=2).lengths.tolist() == [20]


def test_bags_of_a_folder_are_episodes(tmp_path: Path) -> None:
    write(tmp_path / "all/run_2", robot())
    write(tmp_path / "all/run_10", robot())
    episodes = tc.data.open(tmp_path / "all")
    assert episodes.lengths.tolist() == [20, 20]
    assert episodes.groups == ("", "")
    assert [Path(episodes.file(index)).name for index in (0, 1)] == ["run_2", "run_10"]
    tc.data.convert(tmp_path / "all", tmp_path / "set", "lerobot")
    np.testing.assert_array_equal(
        tc.data.open(tmp_path / "set")[1].observation["front"], episodes[1].observation["front"]
    )


def test_a_bag_without_a_topic_of_the_others_is_named(tmp_path: Path) -> None:
    write(tmp_path / "all/run_1", robot())
    write(tmp_path / "all/run_2", robot(lambda one: None if one[0] == "/joint_states" else one))
    with pytest.raises(DataError, match=r"run_2, field '/joint_states': the bag has no such topic"):
        tc.data.open(tmp_path / "all")


@pytest.mark.parametrize(
    ("encoding", "pixels"),
    [
        ("bgr8", PICTURES[0][..., ::-1]),
        ("rgba8", np.concatenate([PICTURES[0], PICTURES[0][..., :1]], axis=-1)),
        ("rgb8", PICTURES[0]),
    ],
)
def test_colours_are_in_their_order(tmp_path: Path, encoding: str, pixels: np.ndarray) -> None:
    sent: list[Message] = [("/a/image", k / 10, image(np.ascontiguousarray(pixels), encoding, pad=5)) for k in range(3)]
    episode = tc.data.open(write(tmp_path / "run.mcap", sent))[0]
    np.testing.assert_array_equal(episode.observation["a"][1], np.moveaxis(PICTURES[0], -1, 0))


def test_compressed_and_depth_images(tmp_path: Path) -> None:
    smooth = np.tile(np.linspace(20, 220, WIDTH)[None, :, None], (HEIGHT, 1, 3)).astype(np.uint8)
    depth = np.full((HEIGHT, WIDTH), 2000, np.uint16)
    depth[0, :2] = 0, 1000
    coded = TYPES["sensor_msgs/msg/CompressedImage"](header(), "jpeg", np.frombuffer(jpeg(smooth), np.uint8))
    sent: list[Message] = [("/color/compressed", k / 10, coded) for k in range(3)]
    sent += [("/depth/image", k / 10, image(depth, "16UC1")) for k in range(3)]
    path = write(tmp_path / "run.mcap", sorted(sent, key=lambda one: one[1]))
    with pytest.raises(DataError, match=r"'/depth/image': it is a depth camera"):
        tc.data.open(path)
    episode = tc.data.open(path, depth=(1, 3))[0]
    assert np.abs(episode.observation["color"][0].astype(int) - np.moveaxis(smooth, -1, 0)).max() <= 4
    assert episode.observation["depth"][0, 0, 0, :3].tolist() == [0, 1, 128]


@pytest.mark.parametrize("part", [0.001, 0.3, 0.95])
def test_a_truncated_file_is_refused(tmp_path: Path, part: float) -> None:
    path = write(tmp_path / "run.mcap", robot())
    path.write_bytes(path.read_bytes()[: int(part * path.stat().st_size)])
    with pytest.raises(DataError, match=r"run.mcap, field 'bag': cannot be read .*truncated or damaged"):
        tc.data.open(path)


def test_what_a_bag_cannot_give_is_named(tmp_path: Path) -> None:
    one: list[Message] = [("/x/image", 0.0, image(PICTURES[0], "yuv422"))]
    with pytest.raises(DataError, match=r"field '/x/image': message 0: expected one of the encodings .*got 'yuv422'"):
        tc.data.open(write(tmp_path / "a.mcap", one))
    text: list[Message] = [("/chatter", 0.0, TYPES["std_msgs/msg/String"]("hello"))]
    with pytest.raises(DataError, match=r"expected images, states or poses; there are /chatter \(std_msgs"):
        tc.data.open(write(tmp_path / "b.mcap", text))
    longer = [("/joint_states", k / 10, joints(np.zeros(3 if k < 2 else 4))) for k in range(4)]
    with pytest.raises(DataError, match="message 2: expected 3 numbers, like the first one; got 4"):
        tc.data.open(write(tmp_path / "c.mcap", longer))
    holes = [("/joint_states", k / 10, joints(np.full(3, np.nan if k == 2 else 0.0))) for k in range(4)]
    (finding,) = tc.data.check(write(tmp_path / "d.mcap", holes))
    assert (finding.field, "first in row 2" in finding.problem) == ("joint_states", True)
    alone = [("/joint_states", 0.0, joints(np.zeros(3)))]
    with pytest.raises(ConfigError, match="no observation has two messages"):
        tc.data.open(write(tmp_path / "e.mcap", alone))


@pytest.mark.parametrize("mcap", [True, False])
@pytest.mark.parametrize("part", ["type", "field"])
def test_names_that_are_code_are_never_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mcap: bool, part: str
) -> None:
    """The package that reads bags makes classes of their types, and must refuse names that are more than names."""
    monkeypatch.chdir(tmp_path)
    code = "A:\n    open('ran', 'w')\nclass B"
    kind, text = ("pkg/msg/Plain", f"uint8 {code}") if part == "field" else (f"pkg/msg/{code}", "uint8 value")
    plugin = StoragePlugin.MCAP if mcap else StoragePlugin.SQLITE3
    with Writer(tmp_path / "bag", version=9, storage_plugin=plugin) as writer:
        connection = writer.add_connection("/a", kind, msgdef=text, rihs01="RIHS01_" + "0" * 64)
        writer.write(connection, 0, b"\x00\x01\x00\x00\x01")
    with pytest.raises(DataError):
        tc.data.open(tmp_path / "bag")
    assert not (tmp_path / "ran").exists()


def test_without_the_package_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path / "run.mcap", robot())
    monkeypatch.setitem(sys.modules, "rosbags.highlevel", None)
    with pytest.raises(MissingExtra, match=r"Reading bags of ROS needs the package 'rosbags'"):
        tc.data.open(path)
