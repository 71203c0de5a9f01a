cnnlab gradcam "net.py:Net" image.png --method gradcam --weights w.pt --classes 10 --input 224 \
  --mean 0.485,0.456,0.406 --std 0.229,0.224,0.225 --out cnnlab
