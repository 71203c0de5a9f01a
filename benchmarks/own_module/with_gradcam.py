import cv2
import numpy as np
import torch
from net import Net
from PIL import Image
from pytorch_grad_cam import GradCAM
from pytorch_grad_cam.metrics.road import ROADLeastRelevantFirstAverage, ROADMostRelevantFirstAverage
from pytorch_grad_cam.utils.image import preprocess_image, show_cam_on_image
from pytorch_grad_cam.utils.model_targets import ClassifierOutputSoftmaxTarget, ClassifierOutputTarget

MEAN, STD = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]
model = Net(classes=10)
state = torch.load("w.pt", weights_only=True)["state_dict"]
model.load_state_dict({name.removeprefix("module."): value for name, value in state.items()})
model.eval()
image = Image.open("image.png").convert("RGB")
side = min(image.size)
left, top = (image.width - side) // 2, (image.height - side) // 2
image = image.crop((left, top, left + side, top + side)).resize((224, 224), Image.Resampling.BILINEAR)
pixels = np.float32(image) / 255
inputs = preprocess_image(pixels, mean=MEAN, std=STD)
with torch.no_grad():
    answer = int(model(inputs).argmax())
with GradCAM(model=model, target_layers=[model.blocks[-1]]) as cam:
    maps = cam(input_tensor=inputs, targets=[ClassifierOutputTarget(answer)])
targets = [ClassifierOutputSoftmaxTarget(answer)]
for metric in (ROADMostRelevantFirstAverage([20, 40, 60, 80]), ROADLeastRelevantFirstAverage([20, 40, 60, 80])):
    print(type(metric).__name__, metric(inputs, maps, targets, model))
overlay = show_cam_on_image(pixels, maps[0], use_rgb=True)
cv2.imwrite("gradcam.png", cv2.cvtColor(overlay, cv2.COLOR_RGB2BGR))
