"""The table: one entry for each op."""

from tensorgrad.core.tensor import Tensor
from tensorgrad.ops import arithmetic
for _n,_f in dict(add="add",sub="subtract",mul="multiply",truediv="divide").items():
    f=getattr(arithmetic,_f)
    setattr(Tensor,f"__{_n}__",f)
    setattr(Tensor,f"__r{_n}__",lambda x,y,f=f: f(y,x))
Tensor.__neg__=arithmetic.negative
