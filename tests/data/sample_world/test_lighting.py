import numpy as np

from vidrep_pipelines.data.sample_world.lighting import EvenLight, Light, Sensor


def test_light_changes_slowly() -> None:
    light = Light(3, 32, 24)
    gains = np.stack([light.gain(index / 24) for index in range(120)])
    assert gains.shape == (120, 24, 32, 3)
    assert gains.min() > 0.4 and gains.max() < 1.5
    assert np.ptp(gains.mean(axis=(1, 2, 3))) > 0.05
    assert np.abs(np.diff(gains, axis=0)).max() < 0.06


def test_noise_has_the_asked_strength_and_differs_by_frame() -> None:
    sensor = Sensor(0, 64, 48, 4.0)
    gray, gain = np.full((48, 64, 3), 200, np.uint8), np.ones((48, 64, 3), np.float32)
    first, second = (sensor.expose(gray, gain, index).astype(float) for index in (0, 1))
    assert 2.5 < (first - 200).std() < 5
    assert not np.array_equal(first, second)
    np.testing.assert_array_equal(first, sensor.expose(gray, gain, 0))


def test_without_noise_the_gain_is_all() -> None:
    sensor = Sensor(0, 8, 8, 0.0)
    out = sensor.expose(np.full((8, 8, 3), 200, np.uint8), np.full((8, 8, 3), 2.0, np.float32), 0)
    assert (out == 255).all()


def test_even_light_changes_nothing() -> None:
    light = EvenLight(32, 24)
    pixels = np.random.default_rng(0).integers(0, 256, (24, 32, 3), np.uint8)
    np.testing.assert_array_equal(Sensor(0, 32, 24, 0.0).expose(pixels, light.gain(3.0), 5), pixels)
    assert light.direction(0.0) == light.direction(9.0)
