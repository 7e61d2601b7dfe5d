import io
import json
import zipfile

import numpy as np
import pytest

from medsynth.encoding.condition import Condition
from medsynth.encoding.domain import Level
from medsynth.errors import ModelFileError, OutputError
from medsynth.models import MODELS, model_file, reward
from medsynth.models.model_file import ModelFile, load_model, model_bytes, save_model
from medsynth.privacy import Ledger


@pytest.fixture(params=["independent", "mst", "adaptive"])
def stored(request, make_records) -> ModelFile:
    ledger = Ledger(2.0, 1e-6)
    fitted = MODELS[request.param]().fit(make_records(300), ledger, persons=300, mu=ledger.guarantee.mu)
    return ModelFile(
        fitted=fitted,
        schema="medsynth: 1\n# äöü\n",
        ledger=[entry.as_dict() for entry in ledger.entries],
        guarantee={"epsilon": 2.0, "delta": 1e-6},
        about={"dataset": "ward"},
    )


@pytest.fixture
def path(stored, tmp_path):
    save_model(tmp_path / "m.medsynth", stored)
    return tmp_path / "m.medsynth"


def rewritten(path, change, *, seal=True):
    """The file with its manifest changed, and sealed anew."""
    with zipfile.ZipFile(path) as archive:
        manifest = json.loads(archive.read("manifest.json"))
        tensors = archive.read("tensors.safetensors")
    change(manifest)
    if seal:
        manifest.pop("manifest_sha256")
        manifest["manifest_sha256"] = model_file._digest(manifest)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("manifest.json", json.dumps(manifest))
        archive.writestr("tensors.safetensors", tensors)


def test_a_loaded_model_samples_the_same_bytes(stored, path):
    loaded = load_model(path)
    given = Condition(boxes=({0: np.array([True, False, False, True])},))
    for condition in (None, given):
        one, other = (m.fitted.sample(200, np.random.default_rng(4), condition).tobytes() for m in (stored, loaded))
        assert one == other


def test_a_loaded_model_says_the_same(stored, path):
    loaded = load_model(path)
    assert (loaded.schema, loaded.guarantee, loaded.about) == (
        stored.schema,
        stored.guarantee,
        stored.about,
    )
    assert list(loaded.ledger) == list(stored.ledger)
    finest = tuple(Level.finest(attribute) for attribute in stored.fitted.domain.attributes)
    np.testing.assert_array_equal(loaded.fitted.marginal(finest), stored.fitted.marginal(finest))
    for one, other in zip(stored.fitted.measurements, loaded.fitted.measurements, strict=True):
        assert (one.sigma, one.sensitivity, one.entry, one.interactions) == (
            other.sigma,
            other.sensitivity,
            other.entry,
            other.interactions,
        )
        np.testing.assert_array_equal(one.noisy, other.noisy)


def test_a_loaded_model_has_the_number_of_persons_first_and_knows_interactions(path):
    whole, *tables = load_model(path).fitted.measurements
    assert whole.clique == ()
    assert whole.noisy.shape == ()
    assert {len(table.clique) for table in tables} >= {1}
    assert all(table.interactions for table in tables)


def test_one_ways_trace_to_the_first_entry_alone(path):
    with zipfile.ZipFile(path) as archive:
        manifest = json.loads(archive.read("manifest.json"))
    one_ways = [item for name, item in manifest["arrays"].items() if name.startswith("one_way/")]
    assert [item["ledger_entries"] for item in one_ways] == [[1]] * 3


def test_equal_models_give_equal_bytes(stored, path):
    assert model_bytes(stored) == path.read_bytes() == model_bytes(load_model(path))


def test_every_array_traces_to_a_ledger_entry(path):
    with zipfile.ZipFile(path) as archive:
        manifest = json.loads(archive.read("manifest.json"))
    booked = {entry["number"] for entry in manifest["ledger"]}
    for name, item in manifest["arrays"].items():
        assert name.startswith("hierarchy/") or item["ledger_entries"]
        assert set(item["ledger_entries"]) <= booked


@pytest.fixture
def with_reward(make_records, tmp_path, monkeypatch):
    """A model file with a reward; three columns have one set of three."""
    monkeypatch.setattr(reward, "REFERENCE_ROWS", 2_000)
    ledger = Ledger(2.0, 1e-6)
    records = make_records(300)
    fitted = reward.rewarded(MODELS["mst"]().fit(records, ledger, persons=300, mu=0.3), records, ledger, mu=0.2)
    stored = ModelFile(fitted=fitted, ledger=[entry.as_dict() for entry in ledger.entries])
    save_model(tmp_path / "m.medsynth", stored)
    return stored, tmp_path / "m.medsynth"


def test_a_reward_is_stored_with_what_paid_for_it(with_reward):
    stored, path = with_reward
    loaded = load_model(path)
    assert model_bytes(loaded) == path.read_bytes()
    (kept,), (read,) = stored.fitted.reward.tables, loaded.fitted.reward.tables
    np.testing.assert_array_equal(kept.log_weights, read.log_weights)
    assert read.measurement.interactions
    with zipfile.ZipFile(path) as archive:
        arrays = json.loads(archive.read("manifest.json"))["arrays"]
    paid = [entry["number"] for entry in stored.ledger if entry["label"].startswith("Reward")]
    assert arrays["reward/000/measured"]["ledger_entries"] == paid
    assert set(paid) < set(arrays["reward/000/log_weights"]["ledger_entries"])
    assert all(not set(paid) & set(array["ledger_entries"]) for name, array in arrays.items() if "reward" not in name)


@pytest.mark.parametrize(
    "change",
    [
        lambda fitted: fitted["reward"]["tables"][0]["levels"].pop(),
        lambda fitted: fitted["reward"]["tables"][0].update(interactions=False),
        lambda fitted: fitted["reward"]["tables"].append(fitted["reward"]["tables"][0]),
        lambda fitted: fitted["reward"].update(scores=[-1]),
    ],
)
def test_a_contradictory_reward_is_refused(with_reward, change):
    rewritten(with_reward[1], lambda manifest: change(manifest["fitted"]))
    with pytest.raises(ModelFileError, match="contradict"):
        load_model(with_reward[1])


def test_a_flipped_byte_is_found_or_changes_nothing(path):
    content = path.read_bytes()
    rng = np.random.default_rng(0)
    for place in rng.integers(0, len(content), 40):
        damaged = bytearray(content)
        damaged[place] ^= 0xFF
        path.write_bytes(bytes(damaged))
        try:
            loaded = load_model(path)
        except ModelFileError:
            continue
        # A byte of the archive's own directory that nothing depends on, such as a file time.
        assert model_bytes(loaded) == content


@pytest.mark.parametrize("length", [0, 10, 500])
def test_a_truncated_file_is_refused(path, length):
    path.write_bytes(path.read_bytes()[:length])
    with pytest.raises(ModelFileError, match="damaged or was altered"):
        load_model(path)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(ModelFileError, match="no such model file"):
        load_model(tmp_path / "none.medsynth")


def test_another_version_says_what_to_do(path):
    rewritten(path, lambda manifest: manifest.update(version=2))
    with pytest.raises(ModelFileError, match=r"has model format 2, this medsynth reads 1\. Use the medsynth"):
        load_model(path)


def test_an_unsealed_change_is_found(path):
    rewritten(path, lambda manifest: manifest["guarantee"].update(epsilon=0.1), seal=False)
    with pytest.raises(ModelFileError, match="SHA-256"):
        load_model(path)


@pytest.mark.parametrize(
    "change",
    [
        lambda m: m.update(kind="gan"),
        lambda m: m["fitted"].update(total=-1.0),
        lambda m: m["fitted"].update(parents=[0] * len(m["fitted"]["parents"])),
        lambda m: m["fitted"]["cliques"].reverse(),
        lambda m: m["fitted"]["cliques"][0][0].__setitem__(1, 99),
        lambda m: m["fitted"]["attributes"][0].update(size=5),
        lambda m: m["fitted"]["chain_lengths"].__setitem__(0, 99),
        lambda m: m["fitted"]["measurements"][0].update(sigma="x"),
        lambda m: m["fitted"]["measurements"][0].update(interactions=0),
        lambda m: m["fitted"]["measurements"][0].update(levels=m["fitted"]["measurements"][1]["levels"]),
        lambda m: m["fitted"]["measurements"][-1].update(interactions=1),
        lambda m: m["fitted"]["measurements"][-1].pop("interactions"),
        lambda m: m["fitted"].pop("settings"),
        lambda m: m["arrays"].popitem(),
        lambda m: next(iter(m["arrays"].values())).update(type="float32"),
        lambda m: m.update(fitted=[]),
        lambda m: m.update(ledger=3),
    ],
)
def test_contents_that_contradict_each_other_are_refused_even_with_a_valid_seal(path, change):
    rewritten(path, change)
    with pytest.raises(ModelFileError):
        load_model(path)


def test_an_oversized_part_is_refused_before_it_is_read(path, monkeypatch):
    monkeypatch.setitem(model_file.MOST_BYTES, "manifest.json", 10)
    with pytest.raises(ModelFileError, match=r"manifest\.json is larger"):
        load_model(path)


def test_a_compressed_part_is_refused(path):
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    path.write_bytes(stream.getvalue())
    with pytest.raises(ModelFileError, match="is compressed"):
        load_model(path)


def test_a_failed_write_leaves_the_old_file_and_nothing_else(stored, path, monkeypatch):
    before = path.read_bytes()

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("medsynth.writing.Path.replace", full)
    with pytest.raises(OutputError, match="No space left"):
        save_model(path, stored)
    assert path.read_bytes() == before
    assert [file.name for file in path.parent.iterdir()] == [path.name]


def test_an_unwritable_place_is_an_output_error(stored, tmp_path):
    with pytest.raises(OutputError, match="cannot be written"):
        save_model(tmp_path / "missing" / "m.medsynth", stored)
