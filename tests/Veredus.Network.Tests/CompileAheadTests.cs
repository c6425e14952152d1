using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Veredus.Network.Tests;

public sealed class CompileAheadTests
{
    [Fact]
    public void Compiles_all_that_can_be_called_as_it_stands_and_survives_the_rest()
    {
        Assert.Equal(3, CompileAhead.Compile([], [typeof(Odd)]));  // Plain, the constructor, and Step of the nested type
    }

    [Fact]
    public void Compiles_whole_assemblies() => Assert.InRange(CompileAhead.Compile([typeof(CompileAhead).Assembly], []), 100, int.MaxValue);

    private abstract unsafe class Odd
    {
        private delegate void Called();

        private static class Inner
        {
            internal static int Step(int value) => value + 1;
        }

        private static class Generic<T>
        {
            internal static Type Of() => typeof(T);
        }

        internal abstract void Missing();

        internal static T Same<T>(T value) => value;

        [DllImport("libc", EntryPoint = "getpid")]
        private static extern int ProcessId();

        [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
        private static void FromOutside() { }

        internal static int Plain() => Inner.Step(ProcessId());
    }
}
