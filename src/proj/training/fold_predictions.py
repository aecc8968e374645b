"""What a run says of the fold that it was not trained on; the report puts those of all folds together."""

import torch
from lightning.pytorch import Trainer

from proj.data.batches import Batches
from proj.models.trusted import decided, trusted
from proj.system.files import csv_text, write_atomically
from proj.system.run_folder import RunFolder


def write_predictions(run: RunFolder, trainer: Trainer, best: dict) -> None:
    """Write a line an example of the fold: which it is, its class, the most probable one, all calibrated probabilities,
    and the class that the threshold chooses, where there is one.

    best: the contents of the best checkpoint. All goes through the network in this process alone.
    """
    model, data, precision = trainer.lightning_module, trainer.datamodule, trainer.precision_plugin
    split, names = data.splits[data.fold_part], data.class_names
    model.load_state_dict(best["state_dict"])
    model.to(split.targets.device).eval()
    batches = Batches(*split, max(data.batch_size, data.evaluation_batch_size), data.prepare)
    with torch.inference_mode(), precision.forward_context():
        logits = torch.cat([model(precision.convert_input(x)).float() for x, _ in batches])
    fitted = best["proj"].get("calibration", {"temperature": 1.0, "smoothing": 0.0})
    probabilities = trusted(logits, fitted["temperature"], fitted["smoothing"]).softmax(1).cpu()
    threshold = fitted.get("threshold")
    chosen = decided(probabilities, torch.tensor(threshold["costs"])).tolist() if threshold else []
    header = ["example", "class", "predicted", "probability", *(f"p({name})" for name in names)]
    rows = [[*header, "at threshold"] if chosen else header]
    answers = zip(split.targets.tolist(), probabilities.argmax(1).tolist(), probabilities.tolist(), strict=True)
    for index, (right, predicted, values) in enumerate(answers):
        rounded = [round(value, 6) for value in values]
        row = [data.example(data.fold_part, index), names[right], names[predicted], rounded[predicted], *rounded]
        rows.append([*row, names[chosen[index]]] if chosen else row)
    write_atomically(run.fold, csv_text(rows))
