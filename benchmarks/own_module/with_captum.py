import matplotlib

matplotlib.use("Agg")
import numpy as np
import torch
import torch.nn.functional as F
from captum.attr import LayerAttribution, LayerGradCam
from captum.attr import visualization as viz
from captum.metrics import infidelity
from net import Net
from PIL import Image

MEAN = torch.tensor([0.485, 0.456, 0.406])[:, None, None]
STD = torch.tensor([0.229, 0.224, 0.225])[:, None, None]
model = Net(classes=10)
state = torch.load("w.pt", weights_only=True)["state_dict"]
model.load_state_dict({name.removeprefix("module."): value for name, value in state.items()})
model.eval()
image = Image.open("image.png").convert("RGB")
side = min(image.size)
left, top = (image.width - side) // 2, (image.height - side) // 2
image = image.crop((left, top, left + side, top + side)).resize((224, 224), Image.Resampling.BILINEAR)
pixels = np.float32(image) / 255
inputs = ((torch.from_numpy(pixels).permute(2, 0, 1) - MEAN) / STD)[None]
answer = int(model(inputs).argmax())
maps = F.relu(LayerGradCam(model, model.blocks[-1]).attribute(inputs, target=answer))
maps = LayerAttribution.interpolate(maps, (224, 224), "bilinear")


def perturbed(batch: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    noise = torch.randn_like(batch) * 0.1
    return noise, batch - noise


print("infidelity", float(infidelity(model, perturbed, inputs, maps.expand_as(inputs), target=answer)))
figure, _ = viz.visualize_image_attr(
    maps[0].permute(1, 2, 0).detach().numpy(), pixels, method="blended_heat_map", use_pyplot=False
)
figure.savefig("captum.png")
