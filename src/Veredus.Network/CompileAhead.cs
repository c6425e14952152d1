using System.Diagnostics.CodeAnalysis;
using System.Reflection;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Veredus.Network;

/// <summary>
/// Has the just-in-time compiler translate code before it is first called. The first takeover of a process would otherwise wait for it, 0.2 s and more, while nobody
/// answers for an address; nothing else in a node is called so seldom and has to be so quick.
/// </summary>
[UnconditionalSuppressMessage("Trimming", "IL2026", Justification = "What was trimmed away is never called either.")]
[UnconditionalSuppressMessage("Trimming", "IL2070", Justification = "What was trimmed away is never called either.")]
[UnconditionalSuppressMessage("Trimming", "IL2075", Justification = "What was trimmed away is never called either.")]
public static class CompileAhead
{
    private const BindingFlags Own = BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.Instance | BindingFlags.Static | BindingFlags.DeclaredOnly;

    private static readonly HashSet<object> s_begun = [];

    /// <summary>On a thread of its own, once in a process. Generic types and methods wait for their first call.</summary>
    public static void InBackground(IEnumerable<Assembly> assemblies, params IEnumerable<Type> types)
    {
        if (!RuntimeFeature.IsDynamicCodeCompiled)
            return;
        lock (s_begun)
        {
            Assembly[] newAssemblies = [.. assemblies.Where(s_begun.Add)];
            Type[] newTypes = [.. types.Where(s_begun.Add)];
            if (newAssemblies.Length + newTypes.Length > 0)
                new Thread(() => Compile(newAssemblies, newTypes)) { IsBackground = true, Name = "compile ahead" }.Start();
        }
    }

    /// <returns>Number of methods that were compiled.</returns>
    internal static int Compile(IEnumerable<Assembly> assemblies, IEnumerable<Type> types)
    {
        var compiled = 0;
        foreach (var type in assemblies.SelectMany(assembly => assembly.GetTypes()).Concat(types.SelectMany(WithNested)).Where(type => !type.ContainsGenericParameters && !type.IsInterface))
            foreach (var method in type.GetMethods(Own).Concat<MethodBase>(type.GetConstructors(Own)).Where(IsCompiled))
            {
                try
                {
                    RuntimeHelpers.PrepareMethod(method.MethodHandle);
                    compiled++;
                }
                catch (Exception)
                {
                    // Whoever calls it gets the same exception, where it can be told.
                }
            }
        return compiled;
    }

    // Asked to prepare a method that only native code may call, the runtime ends the process.
    private static bool IsCompiled(MethodBase method) => !method.IsAbstract && !method.ContainsGenericParameters && !method.IsDefined(typeof(UnmanagedCallersOnlyAttribute))
        && (method.Attributes & MethodAttributes.PinvokeImpl) == 0 && (method.GetMethodImplementationFlags() & (MethodImplAttributes.InternalCall | MethodImplAttributes.Runtime)) == 0;

    private static IEnumerable<Type> WithNested(Type type) => type.GetNestedTypes(Own).SelectMany(WithNested).Prepend(type);
}
