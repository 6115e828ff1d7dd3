"""Vocabularies of the embedded speech: everyday words, no two of a language alike in sound."""

from __future__ import annotations

from collections.abc import Mapping

_TEXTS = {
    "en": """
        apple river mountain yellow green window garden teacher doctor music
        winter summer house bird fish horse sheep chicken bread butter
        sugar coffee water table chair kitchen pencil paper morning evening
        seven eleven twenty thousand brother daughter father cousin village bridge
        ocean island thunder shadow jacket orange purple silver quickly slowly
        open carry follow measure forget whisper laugh journey zebra guitar
    """,
    "es": """
        manzana río montaña amarillo verde ventana jardín maestro médico música
        invierno verano casa pájaro pescado caballo oveja gallina pan mantequilla
        azúcar café agua mesa silla cocina lápiz papel mañana noche
        siete once veinte mil hermano hija padre primo pueblo puente
        océano isla trueno sombra chaqueta naranja morado plata rápido despacio
        abrir llevar seguir medir olvidar susurro risa viaje cebra guitarra
    """,
    "cmn": """
        苹果 河流 高山 黄色 绿色 窗户 花园 老师 医生 唱歌
        冬天 夏天 房子 小鸟 鲤鱼 白马 绵羊 母鸡 面包 牛奶
        白糖 咖啡 喝水 桌子 椅子 厨房 铅笔 书信 早上 晚上
        七天 二十 一千 哥哥 女儿 父亲 朋友 村庄 大桥 海洋
        岛屿 打雷 影子 外套 橘子 紫色 银色 快跑 慢走 打开
        搬家 跟随 测量 忘记 安静 旅行 斑马 吉他 月亮 飞机
    """,
}
WORDS: Mapping[str, tuple[str, ...]] = {
    language: tuple(text.split()) for language, text in _TEXTS.items()
}
"""Content words of each language, in an order that stays: options take the first so many."""

GAPS: Mapping[str, str] = {"en": " ", "es": " ", "cmn": ""}
"""What stands between the words of a written sentence."""
