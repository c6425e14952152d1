namespace Veredus.Logging;

/// <summary>One of the last entries that the console shows.</summary>
/// <param name="Time">Unix seconds.</param>
/// <param name="Level">Its weight.</param>
/// <param name="Text">With the module in front, as in the paniclog.</param>
public sealed record PanicEntry(long Time, PanicLevel Level, string Text);
